"""The one style sheet of the local pages, as text, so that it is frozen with the firmware."""

CSS = """:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #ffffff; --ink: #16202c; --soft: #4d5a69; --line: #d4dae1;
  --accent: #0b5cad; --accent-ink: #ffffff; --good: #17703a; --warn: #8a4b00; --bad: #a51d2d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #11161c; --card: #1a212a; --ink: #e8edf2; --soft: #a9b5c2; --line: #35404d;
    --accent: #7db8f5; --accent-ink: #0c1a29; --good: #6fd394; --warn: #f0b56a; --bad: #ff98a2;
  }
}
* { box-sizing: border-box; }
html { font: 100%/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
body { margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: anywhere; }
header, main, footer { max-width: 46rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
header p { margin: 0; color: var(--soft); font-weight: 600; }
footer { padding-bottom: 2.5rem; color: var(--soft); font-size: .9rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .2rem 0 1rem; }
h2 { font-size: 1.1rem; margin: 0 0 .6rem; }
section, main > details { background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: 1.1rem 1.2rem; margin: 0 0 1rem; }
section > :last-child { margin-bottom: 0; }
summary { cursor: pointer; color: var(--accent); font-weight: 600; }
main > details[open] > summary { margin-bottom: .8rem; }
details > :last-child { margin-bottom: 0; }
dl + p { margin-top: .6rem; }
p, form > details { margin: 0 0 .8rem; }
a { color: var(--accent); }
dl { margin: 0; display: grid; grid-template-columns: minmax(8rem, 13rem) 1fr; gap: .45rem 1rem; }
dt { color: var(--soft); }
dd { margin: 0; }
dd.nested { grid-column: 1 / -1; padding-inline-start: 1rem; border-inline-start: 2px solid var(--line); }
@media (max-width: 34rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .6rem; }
}
ul, ol { margin: 0 0 .8rem; padding-inline-start: 1.3rem; }
label { display: block; font-weight: 600; margin: 0 0 .3rem; }
.error { color: var(--bad); font-weight: 600; margin: 0 0 .5rem; }
[aria-invalid] { outline: 2px solid var(--bad); }
.hint { color: var(--soft); font-size: .92rem; margin: 0 0 .5rem; }
input[type=text], input[type=password], input[type=number], textarea { width: 100%; font: inherit; color: inherit;
  background: var(--ground); border: 1px solid var(--soft); border-radius: .5rem; padding: .65rem .75rem;
  margin: 0 0 1rem; }
select { max-width: 100%; font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--soft);
  border-radius: .5rem; padding: .6rem .75rem; min-height: 2.75rem; margin: 0 0 .6rem; margin-inline-end: .6rem; }
nav { display: flex; flex-wrap: wrap; gap: .2rem .4rem; margin: 0 0 1.2rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem .4rem; margin: 0; padding: 0; }
nav a, nav summary { display: inline-block; padding: .6rem; border-radius: .5rem; }
nav summary::after { content: " \\25BE"; }
nav details[open] { flex-basis: 100%; }
nav a[aria-current] { background: var(--card); color: var(--ink); font-weight: 600; text-decoration: none; }
dl + form { margin-top: .9rem; }
form + form { margin-top: .8rem; }
.strength.bad { color: var(--bad); }
.strength.good { color: var(--good); }
.tick { display: flex; gap: .6rem; align-items: center; font-weight: 400; margin: 0 0 1rem; }
.tick input { width: 1.5rem; height: 1.5rem; flex: none; }
pre { white-space: pre-wrap; font-size: .8rem; margin: 0; }
.show { display: flex; gap: .5rem; align-items: center; font-weight: 400; margin-bottom: 1rem; }
.show[hidden] { display: none; }
.show input { width: 1.15rem; height: 1.15rem; margin: 0; }
button, .button { display: inline-block; font: inherit; font-weight: 600; border: 0; border-radius: .5rem;
  padding: .7rem 1.3rem; min-height: 2.75rem; cursor: pointer; text-decoration: none;
  background: var(--accent); color: var(--accent-ink); }
button[disabled] { opacity: .6; cursor: wait; }
button.danger { background: var(--bad); color: var(--ground); }
button.quiet { background: transparent; color: var(--accent); border: 1px solid var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.notice { border-inline-start: .35rem solid var(--accent); }
.bad { border-inline-start-color: var(--bad); }
.state { font-weight: 700; }
h2.state { font-size: 1.3rem; }
.state.good { color: var(--good); }
.state.warn { color: var(--warn); }
.state.ended { color: var(--bad); }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .9em; }
"""
