/**
 * GraphiQL's markup, where a screen reader cannot follow it, put right after each of its renders.
 *
 * - It marks its tabs up as `role="tab"` and puts two buttons into each, which cannot be reached then:
 *   what is inside a tab is taken for its text. As a plain list of buttons, the current one marked, it
 *   says the same and everything in it can be used.
 * - Every entry of its history is called "Set active", which hides what the entry is.
 * - An open menu hides the rest of the page from screen readers, but leaves it open to the keyboard.
 */

/** Keep the markup below `root` right; returns what ends it. */
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
