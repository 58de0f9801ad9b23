/**
 * Keeps the focus on the page. An update may remove the row whose button has it, and the browser then moves it to nothing: the
 * next Tab would begin at the top.
 */
export const keepFocus = (): void => {
  let last: EventTarget | null = null
  addEventListener("focusin", ({ target }) => {
    last = target
  })
  new MutationObserver(() => {
    if (!(last instanceof Node) || last.isConnected || document.activeElement !== document.body) return
    last = null
    document.getElementById("main")?.focus({ preventScroll: true })
  }).observe(document.body, { childList: true, subtree: true })
}
