/**
 * Repair GraphiQL's markup for screen readers after each render.
 *
 * - Its tabs have `role="tab"` and contain two buttons each. These are unreachable, because the content
 *   of a tab counts as text. As a list of buttons, with the current one marked, all are usable.
 * - Every entry in its history is labelled "Set active", which hides the entry's name.
 * - An open menu hides the rest of the page from screen readers, but not from the keyboard.
 */

/** Keep the markup below `root` repaired; returns a function that stops this. */
export function repairMarkup(root: HTMLElement): () => void {
  const page = root.closest('#root') ?? root;
  const observer = new MutationObserver(() => repair(root));
  const hidden = new MutationObserver((changes) => {
    for (const { target } of changes) {
      if (target instanceof Element) {
        target.toggleAttribute('inert', target.getAttribute('data-aria-hidden') === 'true');
      }
    }
  });
  hidden.observe(page, { subtree: true, attributes: true, attributeFilter: ['data-aria-hidden'] });
  observer.observe(root, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ['role', 'aria-selected', 'aria-label'],
  });
  repair(root);
  return () => {
    observer.disconnect();
    hidden.disconnect();
  };
}

function repair(root: HTMLElement): void {
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
  for (const entry of root.querySelectorAll('.graphiql-history-item-label[aria-label]')) {
    entry.removeAttribute('aria-label');
  }
}
