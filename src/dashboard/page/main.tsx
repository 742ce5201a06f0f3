/** The dashboard in the browser: everything it shows comes from the API. */
import { render } from 'preact'

render(<main>Tracker</main>, document.getElementById('app')!)
