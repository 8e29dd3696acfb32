// How durations and sizes are written, for all who read them: options, the config file and its JSON schema.

/** `500ms`, `10s` (or just `10`), `2min`, `1h`. */
export const DURATION = /^(\d+(?:\.\d+)?)(ms|s|min|h)?$/

/** `512MB`, `1.5GiB`, and Kubernetes' `512Mi`. A JSON schema's patterns have no flags, so both cases are spelt out. */
export const SIZE = /^(\d+(?:\.\d+)?) ?([KMGTkmgt]?[Ii]?[Bb]|[KMGTkmgt][Ii])$/
