// Sets the chosen theme before anything is drawn. Modules run too late for that, so this is none.
try {
  const theme = localStorage.getItem('tracehub.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Without storage, the system's theme it is.
}
