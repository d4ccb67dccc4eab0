import MigrationEngine

@main
struct OwnSteps {
    static func main() async throws {
        let migrator = Migrator(series: "shop", steps: [AddStatus()])
        let arguments = CommandLine.arguments
        guard arguments.count == 4 else { fatalError("Usage: own-steps URI DATABASE up|down|status") }
        try await migrator.connect(arguments[1], database: arguments[2]) { shop in
            switch arguments[3] {
            case "up": for step in try await shop.up() { print("\(step.version) \(step.name): \(step.state)") }
            case "down": for step in try await shop.down() { print("\(step.version) \(step.name): \(step.state)") }
            default: for step in try await shop.status() { print("\(step.version) \(step.name): \(step.state)") }
            }
        }
    }
}
