/** What access tokens can be signed with; RFC 9068 §2.1 asks for RS256 to be there, which costs 14 times as much. */
export const signingAlgorithms = ['ES256', 'EdDSA', 'RS256'] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];
