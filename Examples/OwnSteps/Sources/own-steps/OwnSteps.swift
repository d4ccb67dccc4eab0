import Foundation
import MigrationEngine

@main
struct OwnSteps {
    static func main() async {
        let arguments = CommandLine.arguments
        guard let uri = ProcessInfo.processInfo.environment["SHOP_URI"], arguments.count == 2 else {
            print("Usage: SHOP_URI=… own-steps up|down|status")
            exit(64)
        }
        do {
            let migrator = Migrator(series: "shop", steps: [AddStatus()])
            try await migrator.connect(uri, database: "shop") { shop in
                switch arguments[1] {
                case "up":
                    for step in try await shop.up().steps { print("\(step.version) \(step.name): \(step.state)") }
                case "down":
                    for step in try await shop.down().steps { print("\(step.version) \(step.name): \(step.state)") }
                default: for step in try await shop.status() { print("\(step.version) \(step.name): \(step.state)") }
                }
            }
        } catch {
            print(error)
            exit(1)
        }
    }
}
