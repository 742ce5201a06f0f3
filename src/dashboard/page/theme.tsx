/** Light, dark, or as the system has it. */
import { useEffect, useState } from 'preact/hooks'

const THEMES = ['system', 'light', 'dark'] as const
type Theme = (typeof THEMES)[number]
const STORED = 'tracker-theme'
/** Charts are drawn, not styled: they listen to this. */
export const THEME_EVENT = 'themechange'

/** The browser may forbid storage. */
function stored(): Theme {
  try {
    return THEMES.find((one) => one === localStorage.getItem(STORED)) ?? 'system'
  } catch {
    return 'system'
  }
}

function keep(theme: Theme): void {
  try {
    localStorage.setItem(STORED, theme)
  } catch {
    // It is chosen again next time.
  }
}

export function applyTheme(theme: Theme = stored()): void {
  if (theme === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
  dispatchEvent(new Event(THEME_EVENT))
}

export function ThemeChoice() {
  const [theme, setTheme] = useState(stored)
  useEffect(() => {
    const system = matchMedia('(prefers-color-scheme: dark)')
    const changed = () => dispatchEvent(new Event(THEME_EVENT))
    system.addEventListener('change', changed)
    return () => system.removeEventListener('change', changed)
  }, [])
  const choose = (chosen: Theme) => {
    setTheme(chosen)
    keep(chosen)
    applyTheme(chosen)
  }
  return (
    <fieldset class="choice">
      <legend class="hidden">Theme</legend>
      {THEMES.map((one) => (
        <label key={one}>
          <input type="radio" name="theme" checked={one === theme} onChange={() => choose(one)} />
          <span>{one === 'system' ? 'Auto' : one === 'light' ? 'Light' : 'Dark'}</span>
        </label>
      ))}
    </fieldset>
  )
}
