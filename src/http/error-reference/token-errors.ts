import type { OAuthErrorCode } from '../../auth/oauth-error.js';
import { reasonAdvice } from '../../domain/access-advice.js';
import { compareWithSnippet, type ErrorEntry } from './entry.js';

/** The token endpoint, introspection and revocation: `error` of RFC 6749 §5.2. */
export const tokenErrors: Readonly<Record<OAuthErrorCode, ErrorEntry>> = {
  invalid_client: {
    means:
      'The client did not prove who it is. An unknown client, a wrong or ended secret and a disabled client look alike.',
    seen: {
      Prometheus: 'oauth2: cannot fetch token: 401 Unauthorized',
      vmagent: 'cannot get OAuth2 token: oauth2: cannot fetch token: 401 Unauthorized',
      Datadog: '(invalid_client) Client id or secret is wrong, or the client is disabled.',
    },
    causes: [reasonAdvice.wrong_credentials, reasonAdvice.disabled_client],
  },
  invalid_grant: {
    means: 'The signed assertion is not good: its signature, audience or time, or it was used before.',
    causes: [
      {
        cause: 'The assertion is signed with a key that is not registered, is for another audience, or has ended.',
        cure: 'Register the public key ("weir client key add"), sign for the token URL, and set the clock by NTP.',
      },
    ],
  },
  unauthorized_client: {
    means: 'The client may not use this grant.',
    causes: [
      {
        cause: 'The client has no public key, so that it cannot sign assertions.',
        cure: 'Register one with "weir client key add", or use grant_type=client_credentials.',
      },
    ],
  },
  unsupported_grant_type: {
    means: 'The token request asks for a grant that there is not.',
    causes: [
      {
        cause: 'The tool is set up for a login with a password, a code or a refresh token.',
        cure: 'Set it up for client credentials: grant_type=client_credentials.',
      },
    ],
  },
  invalid_scope: {
    means: 'The client does not have every scope that was asked for; it never gets fewer than it asks for.',
    seen: {
      Prometheus: 'oauth2: cannot fetch token: 400 Bad Request',
      vmagent: 'cannot get OAuth2 token: oauth2: cannot fetch token: 400 Bad Request',
      Datadog: '(invalid_scope) The client does not have every scope asked for',
    },
    causes: [reasonAdvice.invalid_scope],
  },
  invalid_target: {
    means: 'The token was asked for use at another place than this gateway.',
    causes: [
      {
        cause: 'The resource or audience of the request is not the URL of this gateway, nor below it.',
        cure: "Leave resource and audience out, or write the gateway's URL.",
      },
    ],
  },
  unsupported_token_type: {
    means: 'There are no tokens of this type here.',
    causes: [
      {
        cause: 'token_type_hint names a refresh token.',
        cure: 'Leave the hint out; access tokens can be revoked, and there are no others.',
      },
    ],
  },
  invalid_request: {
    means: 'The request to the token endpoint is malformed.',
    causes: [
      { ...reasonAdvice.invalid_request, cure: compareWithSnippet },
      {
        cause: 'The body is not a form, or is larger than 16 KiB; or the method is not POST.',
        cure: 'Send POST with a body of application/x-www-form-urlencoded.',
      },
    ],
  },
  temporarily_unavailable: {
    means: 'The gateway can give no token at the moment.',
    causes: [
      { ...reasonAdvice.unavailable, cause: 'The gateway could not read its database in time.' },
      {
        cause: 'The signing key was retired, and the gateway cannot decrypt the one in its place.',
        cure: 'Its operator brings the file of the encryption keys up to date; it is read again every second.',
      },
    ],
  },
  server_error: { means: 'The gateway failed; no token was given.', causes: [reasonAdvice.internal] },
};
