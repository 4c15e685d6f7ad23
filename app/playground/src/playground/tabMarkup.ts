/**
 * GraphiQL marks its tabs up as `role="tab"` and puts two buttons into each, which a screen reader
 * cannot reach: what is inside a tab is taken for its text. As a plain list of buttons, the current
 * one marked, it says the same and everything in it can be used.
 */

/** Keep the tabs below `root` so; returns what ends it. */
export function plainTabs(root: HTMLElement): () => void {
  const observer = new MutationObserver(() => rewrite(root));
  observer.observe(root, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ['role', 'aria-selected'],
  });
  rewrite(root);
  return () => observer.disconnect();
}

function rewrite(root: HTMLElement): void {
  for (const list of root.querySelectorAll('.graphiql-tabs[role="tablist"]')) {
    list.setAttribute('role', 'list');
  }
  for (const tab of root.querySelectorAll(
    '.graphiql-tab[role="tab"], .graphiql-tab[aria-selected]',
  )) {
    const current = tab.getAttribute('aria-selected') === 'true';
    tab.setAttribute('role', 'listitem');
    tab.removeAttribute('aria-selected');
    tab.querySelector('.graphiql-tab-button')?.setAttribute('aria-current', String(current));
  }
}
