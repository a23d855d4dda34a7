// /docs: Swagger UI on this server's own document.

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#document",
  deepLinking: true,
  tryItOutEnabled: true,
  persistAuthorization: false,
});
