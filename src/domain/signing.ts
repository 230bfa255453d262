/** What access tokens can be signed with; RFC 9068 §2.1 asks for RS256 to be there, which costs 14 times as much. */
export const signingAlgorithms = ['ES256', 'EdDSA', 'RS256'] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];

/** How long copies of the published keys may be kept: a key that signs sooner is not yet in all of them. */
export const jwksCachedSeconds = 300;
