// What collapses and expands calls: one, one level, all.

/** `collapsed` holds the names of the calls whose inside is not drawn. */
export function foldingOf(tree, collapsed, setCollapsed) {
  if (!tree) return { toggle() {}, collapseAll() {}, expandAll() {}, collapseLevel() {}, expandLevel() {} };
  const inner = () => tree.calls.map((_, place) => place).filter((place) => tree.hasInside(place));
  // The level that is open furthest in.
  const deepestOpen = () =>
    tree.rows(collapsed, null).reduce(
      (most, place) => (tree.hasInside(place) && !collapsed.has(tree.keys[place]) ? Math.max(most, tree.calls[place].depth) : most),
      -1,
    );
  const collapseFrom = (depth) =>
    setCollapsed(new Set(inner().filter((place) => tree.calls[place].depth >= depth).map((place) => tree.keys[place])));
  return {
    toggle(place) {
      const next = new Set(collapsed);
      const key = tree.keys[place];
      if (!next.delete(key)) next.add(key);
      setCollapsed(next);
    },
    collapseAll: () => collapseFrom(0),
    expandAll: () => setCollapsed(new Set()),
    collapseLevel: () => collapseFrom(Math.max(0, deepestOpen())),
    expandLevel: () => collapseFrom(deepestOpen() + 2),
  };
}
