"""The agent: conversation, turn-taking, the reply check, transports and the command line."""
