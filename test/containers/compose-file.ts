import { z } from "zod";

// The part of the Compose specification that docker-compose.yml uses, strictly: a key that is misspelt is silently left
// out by some versions of the engine's tools, and refused by others.

const words = z.array(z.string().min(1));
const duration = z.string().regex(/^\d+(ms|s|m|h)$/);
const size = z.string().regex(/^\d+(b|k|m|g)$/);

const service = z.strictObject({
  image: z.string().min(1),
  build: z
    .strictObject({ context: z.string(), args: z.record(z.string(), z.string()).optional() })
    .optional(),
  user: z.string().optional(),
  entrypoint: words.optional(),
  command: words.optional(),
  environment: z.record(z.string(), z.string()).optional(),
  secrets: words.optional(),
  ports: words.optional(),
  expose: words.optional(),
  volumes: words.optional(),
  tmpfs: words.optional(),
  shm_size: size.optional(),
  networks: z.union([words, z.record(z.string(), z.strictObject({ aliases: words.optional() }))]),
  depends_on: z
    .record(
      z.string(),
      z.strictObject({
        condition: z.enum(["service_started", "service_healthy", "service_completed_successfully"]),
      }),
    )
    .optional(),
  healthcheck: z.union([
    z.strictObject({ disable: z.literal(true) }),
    z.strictObject({
      test: words,
      interval: duration,
      timeout: duration,
      start_period: duration,
      retries: z.number().int().positive(),
    }),
  ]),
  restart: z.enum(["no", "always", "on-failure", "unless-stopped"]),
  read_only: z.boolean(),
  cap_drop: words,
  security_opt: words,
  pids_limit: z.number().int().positive(),
  cpus: z.number().positive(),
  mem_limit: size,
  stop_grace_period: duration.optional(),
});

export const composeFile = z
  .object({
    name: z.string().regex(/^[a-z0-9][a-z0-9_-]*$/),
    services: z.record(z.string().regex(/^[a-zA-Z0-9._-]+$/), service),
    networks: z.record(z.string(), z.strictObject({ internal: z.boolean().optional() })),
    volumes: z.record(z.string(), z.strictObject({})),
    secrets: z.record(z.string(), z.strictObject({ file: z.string().min(1) })),
  })
  // Beside these, only extensions.
  .catchall(z.unknown())
  .refine((file) =>
    Object.keys(file).every(
      (key) => ["name", "services", "networks", "volumes", "secrets"].includes(key) || key.startsWith("x-"),
    ),
  );
