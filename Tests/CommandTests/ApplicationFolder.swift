import Foundation
import Testing

/// A folder that looks like a clone of the application. `<port>` stands for the server's port, `<uri>` for its connection
/// string.
struct ApplicationFolder: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var files: [String: String]
    var environment: [String: String] = [:]
    var arguments: [String] = []
    /// What the first line says behind "Database "; for what is refused, what the error says.
    let words: String
}

extension ApplicationFolder {
    /// A file of the form that tutorials have.
    static let usual = """
        services:
          api:
            build: .
            ports: ["8000:8000"]
            environment:
              MONGO_HOST: mongo
              MONGO_PORT: 27017
              MONGO_DATABASE_NAME: folder
            depends_on: [mongo]
          mongo:
            image: mongo:7.0
            restart: unless-stopped
            ports:
              - "<port>:27017"
            volumes:
              - mongo_data:/data/db
        volumes:
          mongo_data:
        """

    private static let nameless = usual.replacing("      MONGO_DATABASE_NAME: folder\n", with: "")

    static let published = "mongo:27017 -> 127.0.0.1:<port> (published port)"

    static let usualLine = line("folder", "MONGO_DATABASE_NAME in compose.yaml", "MONGO_HOST in compose.yaml")

    /// A first line about a server in a container.
    private static func line(_ database: String, _ source: String?, _ server: String) -> String {
        let source = source.map { "from \($0)" } ?? "by default"
        return "\(database) (\(source)) at 127.0.0.1:<port> (from \(server); \(published))."
    }

    static let found: [ApplicationFolder] = [
        ApplicationFolder(testDescription: "a map of variables", files: ["compose.yaml": usual], words: usualLine),
        ApplicationFolder(
            testDescription: "the first of several files",
            files: ["compose.yaml": usual, "docker-compose.yml": "services: ["],
            words: usualLine),
        ApplicationFolder(
            testDescription: "variables from .env, and anchors",
            files: [
                ".env": "MONGO_PUBLISHED_PORT=<port>\nMONGO_USER=\nDB='anchored'\n",
                "docker-compose.yml": """
                version: "3.8"
                x-common-env: &common-env
                  MONGO_HOST: mongo
                  MONGO_USERNAME: ${MONGO_USER:-}
                  MONGO_PASSWORD: ${MONGO_PASS:-}
                  MONGO_DATABASE_NAME: ${DB:?the database's name}
                services:
                  mongo:
                    image: mongo:${MONGO_VERSION:-7.0}
                    ports:
                      - target: 27017
                        published: ${MONGO_PUBLISHED_PORT:-27017}
                  api:
                    environment: *common-env
                  worker:
                    environment:
                      <<: *common-env
                      WORKERS: 4
                """,
            ],
            words: line("anchored", "MONGO_DATABASE_NAME in docker-compose.yml", "MONGO_HOST in docker-compose.yml")),
        ApplicationFolder(
            testDescription: "variables that .env has under other names",
            files: [
                ".env": "MONGO_USER=\nMONGO_PASSWORD=\nMONGO_DB=folder\n",
                "compose.yaml": """
                services:
                  api:
                    environment:
                      - MONGO_HOST=mongo
                      - MONGO_USERNAME=${MONGO_USER}
                      - MONGO_PASSWORD
                      - MONGO_DATABASE_NAME=$MONGO_DB
                  mongo: {ports: ["<port>:27017"]}
                """,
            ], words: usualLine),
        ApplicationFolder(
            testDescription: "a file that env_file names",
            files: [
                "api.env": "MONGO_HOST=mongo\nMONGO_DATABASE_NAME=weaker\n",
                "compose.yml": """
                services:
                  api:
                    env_file:
                      - path: ./api.env
                        required: false
                      - ./not-there.env
                    environment:
                      - MONGO_DATABASE_NAME=listed
                  mongo: {image: mongo, ports: ["127.0.0.1:<port>:27017/tcp"]}
                """,
            ],
            words: line("listed", "MONGO_DATABASE_NAME in compose.yml", "MONGO_HOST in ./api.env")),
        ApplicationFolder(
            testDescription: ".env, whose host is a service",
            files: [
                ".env": "MONGO_HOST=mongo\nMONGO_DATABASE_NAME=dotenv\n",
                "compose.yaml": "services: {api: {env_file: .env}, mongo: {ports: ['<port>:27017']}}",
            ],
            words: line("dotenv", "MONGO_DATABASE_NAME in .env", "MONGO_HOST in .env")),
        ApplicationFolder(
            testDescription: ".env, whose port is the published one",
            files: [
                ".env": "MONGO_PORT=<port>\n",
                "compose.yaml": """
                services:
                  api: {environment: {MONGO_HOST: mongo, MONGO_DATABASE_NAME: folder}}
                  mongo: {ports: ["${MONGO_PORT}:27017"]}
                """,
            ], words: usualLine),
        ApplicationFolder(
            testDescription: "a second file, which publishes the port",
            files: [
                "docker-compose.yml": """
                services:
                  api: {environment: [MONGO_HOST=mongo, MONGO_DATABASE_NAME=folder]}
                  mongo: {image: "mongo:7.0"}
                """,
                "docker-compose.override.yml": "services: {mongo: {ports: ['<port>:27017']}}",
            ],
            words: line("folder", "MONGO_DATABASE_NAME in docker-compose.yml", "MONGO_HOST in docker-compose.yml")),
        ApplicationFolder(
            testDescription: "chat-admin.yaml, where nothing else names the database",
            files: ["chat-admin.yaml": "database: own", "compose.yaml": nameless],
            words: line("own", "`database` in chat-admin.yaml", "MONGO_HOST in compose.yaml")),
        ApplicationFolder(
            testDescription: "the compose file before chat-admin.yaml",
            files: ["chat-admin.yaml": "uri: mongodb://127.0.0.1:9/weaker", "compose.yaml": usual], words: usualLine),
        ApplicationFolder(
            testDescription: "a service that extends another of the same file",
            files: [
                "compose.yaml": """
                services:
                  base: {environment: {MONGO_HOST: mongo, MONGO_DATABASE_NAME: folder}}
                  api: {extends: {service: base}, environment: {MONGO_PORT: 27017}}
                  mongo: {image: mongo, ports: ["<port>:27017"]}
                """
            ], words: usualLine),
        ApplicationFolder(
            testDescription: "the application's default",
            files: ["compose.yaml": nameless],
            words: line("database", nil, "MONGO_HOST in compose.yaml")),
        ApplicationFolder(
            testDescription: ".env, whose host is no service",
            files: [
                ".env": "MONGO_HOST=127.0.0.1\nMONGO_PORT=<port>\n", "compose.yaml": usual,
            ], words: "database (by default) at 127.0.0.1:<port> (from MONGO_HOST in .env)."),
        ApplicationFolder(
            testDescription: "the environment, as it is", files: ["compose.yaml": usual],
            environment: ["MONGO_PORT": "<port>", "MONGO_DATABASE_NAME": "outer"],
            words: "outer (from MONGO_DATABASE_NAME) at 127.0.0.1:<port> (from MONGO_PORT)."),
        ApplicationFolder(
            testDescription: "an option, whatever is wrong with the file", files: ["compose.yaml": "mongo: ["],
            arguments: ["--uri", "<uri>/option"], words: "option at 127.0.0.1:<port> (from --uri)."),
        ApplicationFolder(
            testDescription: "chat-admin.yaml, where the file has nothing to do with MongoDB",
            files: ["chat-admin.yaml": "uri: <uri>/own", "compose.yaml": "services: [{postgres"],
            words: "own at 127.0.0.1:<port> (from `uri` in chat-admin.yaml)."),
    ]

    /// The usual file with another text in a place.
    private static func variant(_ text: String, becomes other: String) -> [String: String] {
        ["compose.yaml": usual.replacing(text, with: other)]
    }

    /// A file with one service that sets a host, and what comes behind it.
    private static func api(_ rest: String) -> [String: String] {
        [
            "compose.yaml":
                "services:\n  mongo: {image: mongo}\n  api:\n    environment:\n      MONGO_HOST: mongo\n\(rest)"
        ]
    }

    static let refused: [ApplicationFolder] = [
        ApplicationFolder(
            testDescription: "a part of another file",
            files: ["compose.yaml": "# mongo\ninclude: [base.yaml]\nservices: {web: {image: nginx}}\n"],
            words: "compose.yaml, line 2: `include`, isn't read, and nothing else says where the database is"),
        ApplicationFolder(
            testDescription: "a service of another file",
            files: ["compose.yaml": "services:\n  mongo:\n    extends: {file: base.yaml, service: mongo}\n"],
            words: "compose.yaml, line 3: `extends` of the service `mongo`, isn't read"),
        ApplicationFolder(
            testDescription: "variables in a file that isn't there",
            files: ["compose.yaml": "services:\n  api: {env_file: .env.mongo}\n"],
            words: "compose.yaml, line 2: the file .env.mongo of `env_file`, which isn't there, isn't read"),
        ApplicationFolder(
            testDescription: "a MongoDB alone, at a port of its own",
            files: ["compose.yaml": "services:\n  db: {image: 'mongo:7', ports: ['27999:27017']}\n"],
            words: "the service `db` is a MongoDB, and no service says with MONGO_HOST"),
        ApplicationFolder(
            testDescription: "one of many ports",
            files: variant("<port>:27017", becomes: "27000-27100:27017"),
            words: "docker compose port mongo 27017"),
        ApplicationFolder(
            testDescription: "no published port", files: api(""),
            words: "compose.yaml, line 2: the service `mongo` doesn't publish its port 27017, so it can't be reached"),
        ApplicationFolder(
            testDescription: "a port that Docker chooses",
            files: variant("<port>:27017", becomes: "27017"),
            words: "docker compose port mongo 27017"),
        ApplicationFolder(
            testDescription: "a port that can't be understood",
            files: variant("<port>:27017", becomes: "27017:mongo"),
            words: "compose.yaml, line 14: a port of the service `mongo` can't be understood"),
        ApplicationFolder(
            testDescription: "a variable that isn't set",
            files: api("      MONGO_PASSWORD: ${DB_PASSWORD}\n").mapValues {
                $0.replacing("{image: mongo}", with: #"{ports: ["27017:27017"]}"#)
            },
            words: "compose.yaml, line 6: MONGO_PASSWORD can't be used: the variable DB_PASSWORD is set neither"),
        ApplicationFolder(
            testDescription: "services that disagree",
            files: api("  worker: {environment: {MONGO_HOST: elsewhere, MONGO_PASSWORD: hunter2}}\n"),
            words: "(MONGO_HOST in compose.yaml, line 5, and MONGO_HOST in compose.yaml, line 6)"),
        ApplicationFolder(
            testDescription: "a list where a map is wanted", files: ["compose.yaml": "services:\n  - mongo\n"],
            words: "compose.yaml, line 2: `services` has to be a map, not a list"),
        ApplicationFolder(
            testDescription: "text where a map is wanted",
            files: ["compose.yaml": "services:\n  mongo:\n    environment: MONGO_PASSWORD=hunter2\n"],
            words: "compose.yaml, line 3: `environment` of the service `mongo` has to be a map"),
        ApplicationFolder(
            testDescription: "maps where text is wanted",
            files: ["compose.yaml": "services:\n  mongo:\n    environment:\n      - MONGO_PASSWORD: hunter2\n"],
            words: "compose.yaml, line 4: in a list, `environment` of the service `mongo` wants `NAME=value`, not a map"
        ),
        ApplicationFolder(
            testDescription: "broken YAML", files: api("      MONGO_PASSWORD: 'hunter2\n"),
            words: "The file compose.yaml, line "),
        ApplicationFolder(
            testDescription: "a key that stands there twice", files: api("      MONGO_HOST: hunter2\n"),
            words: "compose.yaml, line 6: `MONGO_HOST` stands there twice"),
        ApplicationFolder(
            testDescription: "an alias of nothing", files: api("      <<: *env\n"),
            words: "compose.yaml, line 6: the alias `env` names nothing"),
        ApplicationFolder(
            testDescription: "a misspelt variable",
            files: variant("MONGO_DATABASE_NAME", becomes: "MONGO_DB"),
            words:
                "compose.yaml, line 2: the service `api` sets MONGO_DB, which isn't read, and no MONGO_DATABASE_NAME."),
        ApplicationFolder(
            testDescription: "a variable that isn't read",
            files: [
                "compose.yaml": """
                services:
                  mongo-express: {environment: {ME_CONFIG_MONGODB_URL: "mongodb://root:hunter2@mongo:27017/"}}
                  api: {environment: {MONGODB_URL: "${SCHEME:-mongodb}://root:hunter2@mongo:27017/"}}
                """
            ],
            words: "The variable MONGODB_URL in compose.yaml, line 3, names a MongoDB, but isn't read."),
        ApplicationFolder(
            testDescription: "half of the credentials",
            files: variant("MONGO_PORT: 27017", becomes: "MONGO_USERNAME: root"), words: "no MONGO_PASSWORD"),
        ApplicationFolder(
            testDescription: "a connection string for a host",
            files: variant("MONGO_HOST: mongo", becomes: "MONGO_HOST: 'mongodb://a:hunter2@mongo'"),
            words: "MONGO_HOST in compose.yaml, line 6 holds a connection string"),
    ]
}
