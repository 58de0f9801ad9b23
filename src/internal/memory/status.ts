/** A status reply. Clients get its text; a script gets a table with a field `ok`. */
export class Status {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

export const ok = new Status("OK")
