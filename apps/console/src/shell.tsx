import type { Me } from '@sanctum/protocol/admin';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { timeText } from './format.ts';
import { JobStrip } from './jobs/job-strip.tsx';
import { Headline } from './pipeline/headline.tsx';
import { useLivePipeline } from './pipeline/use-live-pipeline.ts';
import type { Api } from './server/api.ts';
import { ConsoleContext } from './ui/context.ts';
import { useRoute } from './ui/hooks.ts';
import { VIEW_GROUPS, viewNamed } from './views.ts';

/** What stands around every view: navigation, the state of the whole, and whatever runs. */
export function Shell({ api, me, logOut }: { api: Api; me: Me; logOut: () => void }) {
  const live = useLivePipeline(api);
  const route = useRoute();
  const view = viewNamed(route.name);
  const [menu, setMenu] = useState(false);
  const [jobsSince, setJobsSince] = useState(0);
  const [jobsEnded, setJobsEnded] = useState(0);
  const main = useRef<HTMLElement>(null);
  const context = useMemo(
    () => ({ api, me, live, jobsEnded, watchJobs: () => setJobsSince((before) => before + 1) }),
    [api, me, live, jobsEnded],
  );
  const seen = useRef(view);
  // Before it is seen: later it would take the focus from a field that somebody is in already.
  useLayoutEffect(() => {
    document.title = `${view.title} · Sanctum console`;
    setMenu(false);
    // Not at the first view: the page begins where every page begins.
    if (seen.current !== view) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    seen.current = view;
  }, [view]);
  const View = view.component;
  return (
    <ConsoleContext.Provider value={context}>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
        Skip to content
      </a>
      <div class="shell">
        <header class="top">
          <p class="mark">Sanctum</p>
          <Headline live={live} />
          <button
            type="button"
            class="menu"
            aria-expanded={menu}
            aria-controls="navigation"
            onClick={() => setMenu(!menu)}
          >
            Menu
          </button>
        </header>
        <nav id="navigation" class={menu ? 'side open' : 'side'} aria-label="Views">
          {VIEW_GROUPS.map(({ title, views }) => (
            <div key={title}>
              <h2>{title}</h2>
              <ul>
                {views.map(({ name, title: label }) => (
                  <li key={name}>
                    <a href={`#/${name}`} aria-current={view.name === name ? 'page' : undefined}>
                      {label}
                    </a>
                  </li>
                ))}
              </ul>
            </div>
          ))}
          <div class="who">
            <p>
              Logged in as <strong>{me.sub}</strong>
            </p>
            <p class="note">until {timeText(me.expires_at)} UTC</p>
            <button type="button" onClick={logOut}>
              Log out
            </button>
          </div>
        </nav>
        <main id="main" ref={main} tabIndex={-1}>
          <h1 class={view.name === 'pipeline' ? 'unseen' : undefined}>{view.title}</h1>
          <View key={view.name} query={route.query} />
          <JobStrip api={api} since={jobsSince} onEnded={setJobsEnded} />
        </main>
      </div>
    </ConsoleContext.Provider>
  );
}
