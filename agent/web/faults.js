// What can go wrong between a person and the agent: the cause, and what to do about it.

const here = () => `http://127.0.0.1:${location.port || 80}/`;

const FAULTS = {
  insecure: () => ({
    cause: "This browser gives the microphone only to secure pages, and this one came over http.",
    remedy:
      "Open it over https (whoever runs the server: atonce serve --certificate FILE --key FILE). " +
      `On the machine that runs the server, ${here()} works without.`,
  }),
  unsupported: () => ({
    cause: "This browser has no WebRTC.",
    remedy: "Use a current Chrome, Edge, Firefox or Safari.",
  }),
  NotFoundError: () => ({
    cause: "No microphone was found.",
    remedy: "Plug one in, or switch it on in the system's sound settings; then start again.",
  }),
  NotAllowedError: () => ({
    cause: "The microphone was refused to this page.",
    remedy:
      "Allow it: the sign left of the address, Microphone, Allow. If it is allowed there, the " +
      "operating system's privacy settings may refuse it to the browser. Then start again.",
  }),
  NotReadableError: () => ({
    cause: "The microphone is there, but it gives no sound.",
    remedy: "Another program may hold it: close calls and recorders, then start again.",
  }),
  ice: (seconds) => ({
    cause: `The sound cannot get through: no connection within ${seconds} seconds.`,
    remedy:
      "A firewall or a VPN may block UDP between this browser and the server: allow it, or use the " +
      "same network. In a container, give the server the host's network. Across routers, set " +
      "serve.stun. Then start again.",
  }),
  lost: () => ({
    cause: "The connection was lost.",
    remedy: "Look whether this machine is online and the server runs; then start again.",
  }),
  busy: () => ({
    cause: "Busy: somebody else is talking with the agent.",
    remedy: "It talks with one person at a time. Try again when they have finished.",
  }),
  token: () => ({
    cause: "This server wants a token.",
    remedy: "Whoever started the server knows it (--token, or ATONCE_TOKEN). Enter it here.",
  }),
  loading: () => ({
    cause: "The agent is still loading its models.",
    remedy: "Wait until the button can be pressed; that takes some seconds.",
  }),
  server: (detail) => ({
    cause: "The server did not start the talk.",
    remedy: detail || "Its log tells why. Then start again.",
  }),
  unreachable: () => ({
    cause: "The server does not answer.",
    remedy: "Look whether atonce serve still runs; then load this page again.",
  }),
  sound: () => ({
    cause: "The browser does not let this page play sound.",
    remedy: "Press the button again; if it stays silent, allow sound for this page.",
  }),
};
FAULTS.OverconstrainedError = FAULTS.NotFoundError;
FAULTS.SecurityError = FAULTS.NotAllowedError;
FAULTS.AbortError = FAULTS.NotReadableError;

export class Fault extends Error {
  constructor(kind, detail = "") {
    super(kind);
    this.kind = kind;
    this.detail = detail;
  }
}

// Any error as {cause, remedy}: ours by kind, the browser's own by name.
export function explained(error) {
  const known = FAULTS[error instanceof Fault ? error.kind : error?.name];
  if (known) return known(error.detail);
  return { cause: "Something unforeseen happened.", remedy: `${error}. Load the page again.` };
}
