import type { AccessReason } from './access.js';

/** Why something went wrong, and what to do about it. */
export interface Advice {
  readonly cause: string;
  readonly cure: string;
}

/**
 * What is behind each reason of the access log, for who runs the scraper: what the doctor says, what the page of errors
 * says, and what stands in docs/troubleshooting.md.
 */
export const reasonAdvice: Readonly<Record<AccessReason, Advice>> = {
  expired_token: {
    cause:
      'The scraper sends a token after its end: it keeps tokens without looking at expires_in, or its clock is behind.',
    cure: 'Let the tool fetch tokens itself (oauth2 or auth_token in its configuration) and set the clock by NTP.',
  },
  revoked_token: {
    cause: 'The token was revoked, or belongs to a secret or signing key that was.',
    cure: 'Go scrapers (Prometheus, Alloy, vmagent) keep a token until it ends, 15 minutes at most; a restart is quicker.',
  },
  unknown_token: {
    cause:
      'The text after "Bearer" is no token of this gateway: cut short, of another gateway, or a secret in its place.',
    cure: 'Configure oauth2 with client id and secret; a token pasted into a configuration ends after 15 minutes.',
  },
  disabled_client: {
    cause: 'The client is disabled.',
    cure: 'The operator enables it with "weir client enable", or the scraper gets another client.',
  },
  wrong_credentials: {
    cause:
      'Client id or secret is wrong: an old secret after its rotation, a cut or a newline in the file, id and secret swapped.',
    cure: 'Make a new secret with "weir client rotate", write it to the file the scraper reads, and restart what mounts it.',
  },
  basic_not_allowed: {
    cause: 'Id and secret came by HTTP Basic on a page, which the client may not do.',
    cure: 'Configure oauth2 instead of basic_auth; for a tool that has only that: "weir client set ID --allow-basic=on".',
  },
  guessing: {
    cause: 'Too many wrong secrets came for this client from this address, so that wrong ones get 429.',
    cure: 'Correct the secret: a right one works at once, whatever "weir ban list" shows.',
  },
  insufficient_scope: {
    cause: 'The token lacks the scope of the route: scrapes need read:metrics, pushes write:metrics.',
    cure: 'Ask for that scope, or leave the scope out; the operator gives it with "weir client set".',
  },
  invalid_scope: {
    cause: 'The token request asks for a scope that the client does not have.',
    cure: 'Leave scope out of the configuration, or write read:metrics.',
  },
  unknown_endpoint: {
    cause:
      'There is no such endpoint for this client: a slip in the path, a deleted endpoint, or one it was not given.',
    cure: 'Copy the path that "weir snippet" prints, or take it from the service discovery document of the project.',
  },
  other_project: {
    cause: 'The path names another project than the one of the client.',
    cure: "Use a client of that project, or the path of the client's own.",
  },
  rate_limited: {
    cause:
      'The client asks more often than its limit allows: too short an interval, or too many replicas with one client.',
    cure: 'Scrape every 30 s or less often, give each replica a client of its own, or raise the limit of the project.',
  },
  invalid_request: {
    cause: 'The request is malformed: a parameter twice, a wrong Content-Type, credentials in the URL.',
    cure: 'Compare with "weir snippet"; the body of the answer names the fault.',
  },
  incomplete_page: {
    cause: 'The page was served, but a source behind it did not answer in time or said that something is missing.',
    cure: 'Look at weir_source_up and weir_source_complete on the page; "weir source test" says what is wrong.',
  },
  unavailable: {
    cause: 'The gateway could not read its database, or every source of the page was dead.',
    cure: 'Look at /-/ready on the operator listener; scrapers try again by themselves.',
  },
  internal: {
    cause: 'The gateway failed.',
    cure: 'Its log has the error under the request id of the answer.',
  },
};
