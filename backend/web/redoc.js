// /redoc: Redoc on this server's own document.

Redoc.init("openapi.json", { hideHostname: true }, document.getElementById("document"));
