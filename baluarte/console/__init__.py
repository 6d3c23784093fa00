"""The console: what an operator looks at where no Grafana runs, served by the supervisor at `/console`.

It lives when the gateway does not. `access` says who may look, `gate` what a browser may do, `collector`
keeps looking at the platform, `view` makes of it what is shown, `stream` sends it; `page/` is what the
browser loads, with no build step and no other host. `docs/console.md` tells how to use it.
"""
