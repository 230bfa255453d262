/** As one word of a POSIX shell, also within `"$(…)"`. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A string literal of JavaScript, Python, Go and Alloy. Those that escape more than they must are the same text. */
export const literal = (text: string): string => JSON.stringify(text);

/** A basic string of TOML. Telegraf puts variables in for `$` before it reads TOML, but knows no escapes. */
export const tomlString = (text: string): string => literal(text).replaceAll('$', '\\u0024');

/** A quoted template of HCL, in which `${` and `%{` begin an expression. */
export const hclString = (text: string): string => literal(text).replace(/[$%](?=\{)/g, '$&$&');

/** What stands for this text alone in a regular expression of Go. */
export const regexOf = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
