// Swagger UI's own dark look.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// A row of a list of files: Swagger UI looks for this name first, and warns that it has none.
const fileRow = ({ React, getComponent }) => ({
  components: {
    JsonSchema_string_binary: (properties) => React.createElement(getComponent("JsonSchema_string"), properties),
  },
});

// A row in which no file was chosen is sent as a word.
const withoutEmptyRows = (request) => {
  if (request.body instanceof FormData) {
    const files = request.body.getAll("file").filter((value) => value instanceof File);
    request.body.delete("file");
    files.forEach((file) => request.body.append("file", file));
  }
  return request;
};

// Relative addresses, so that the server may stand behind a prefix.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  plugins: [fileRow],
  requestInterceptor: withoutEmptyRows,
});
