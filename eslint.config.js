import tseslint from "typescript-eslint";

// Biome lints and formats. ESLint only holds what needs type information: a promise nobody waits for is a lost task.
export default tseslint.config(
  { ignores: ["**/dist/**", "**/*.js", "**/*.mjs"] },
  {
    files: ["**/*.ts"],
    linterOptions: { reportUnusedDisableDirectives: "error" },
    languageOptions: {
      parser: tseslint.parser,
      // Two programs for all packages: one for each package takes twice as long.
      parserOptions: { project: ["tsconfig.json", "apps/demo/tsconfig.json"], tsconfigRootDir: import.meta.dirname },
    },
    plugins: { "@typescript-eslint": tseslint.plugin },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ["packages/*/src/**/*.ts"],
    rules: {
      "no-restricted-syntax": [
        "error",
        {
          selector: "Program > VariableDeclaration[kind=let]",
          message: "No mutable state in a module: two copies of it may be loaded.",
        },
        { selector: "ExportNamedDeclaration > VariableDeclaration[kind=let]", message: "No mutable exports." },
      ],
    },
  },
);
