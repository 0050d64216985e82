// Package oauth gets access tokens of OAuth 2.0 for accounts at other servers, and keeps them fresh. It is the only package
// that knows golang.org/x/oauth2.
//
// A person signs in once, with a browser on this machine ([Source.LoginBrowser], RFC 8252 with PKCE), with a browser
// elsewhere whose address is pasted ([Source.LoginPaste]), or with a code typed in elsewhere ([Source.LoginDevice], RFC
// 8628). From then on [Source.Token] returns a token that is good for some time, and asks for a new one before the old one
// ends. With [ClientCredentials] and [Command] nobody signs in.
//
// # Guarantees
//
// A lock that works across processes lets one of them ask for a new token while the others wait and then take that one.
// What comes back is written durably before it is used, so a refresh token that was replaced is never lost by using what
// came with its successor; if it cannot be written it is kept in memory and written before anything else is done.
//
// Nothing that was stored is removed because of an answer of the server. A refusal counts only when it is confirmed: it is
// asked again [ConfirmAfter] later (refusals of the client, not of the token: [ConfirmClientAfter]), and only the same
// answer then makes an error for which [NeedsPerson] is true. Everything else (5xx, 429, timeouts, nonsense) is temporary,
// and as long as the token at hand is good it goes on being used.
//
// Tokens, codes and secrets are never part of an error. Servers are spoken to by https only, except on this very machine;
// redirects are not followed, and answers are bounded.
//
// # What cannot be helped
//
// A process that is killed after a server has replaced a refresh token, but before the answer was written, has lost it. The
// next one presents the old token. Servers that allow that once, as most do, go on; the others want a new sign-in, and the
// error says so.
package oauth
