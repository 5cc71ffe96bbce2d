const passwordInUrl = /([a-z][a-z0-9+.-]*:\/\/[^\s:@/'"`]*):[^\s'"`]*@/gi
const secretInQuery = /([?&](?:[a-z_]*password|token|secret|api_?key)=)[^&\s'"`]*/gi

/** Hides passwords and tokens of any URL in a text; everything said to a person passes through here. */
export function withoutSecrets(text: string): string {
  return text.replace(passwordInUrl, '$1:***@').replace(secretInQuery, '$1***')
}
