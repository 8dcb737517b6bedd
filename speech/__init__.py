"""Ears and mouth: audio, transcribers and synthesizers. Knows neither the writer nor the agent."""
