// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "own-steps",
    dependencies: [.package(name: "chat-admin", path: "../..")],
    targets: [
        .executableTarget(
            name: "own-steps",
            dependencies: [.product(name: "MigrationEngine", package: "chat-admin")],
            plugins: [.plugin(name: "SourceChecksums", package: "chat-admin")]
        )
    ],
    swiftLanguageModes: [.v6]
)
