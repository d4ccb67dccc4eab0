// swift-tools-version: 6.2

import PackageDescription

/// Warnings stop the build in CI and `make test`; a user's own build with a newer compiler is not stopped by them.
let warningsAreErrors = Context.environment["CHAT_ADMIN_WARNINGS_AS_ERRORS"] == "1"

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (warningsAreErrors ? [.treatAllWarnings(as: .error)] : [])

/// A target of this package's own; every one is built under the same rules.
func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// Writes the library's documentation (`make docs`); whoever uses the library needn't fetch it.
let documentation: [Package.Dependency] =
    Context.environment["CHAT_ADMIN_DOCS"] == "1"
    ? [.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0")] : []

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "chat-admin",
    products: [
        .executable(name: "chat-admin", targets: ["chat-admin"]),
        .library(name: "MigrationEngine", targets: ["MigrationEngine", "StepFiles", "Journal", "MongoDriver", "BSON"]),
        .plugin(name: "SourceChecksums", targets: ["SourceChecksums"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.0"),
    ] + documentation,
    targets: [
        .systemLibrary(name: "CMongoC", pkgConfig: "libmongoc-1.0", providers: [.apt(["libmongoc-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CSSL", pkgConfig: "libssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CCrypt", providers: [.apt(["libcrypt-dev"])]),
        library("BSON"),
        library("InputFiles", ["CYAML"]),
        .target(name: "CSpawn"),
        library("Sandbox", ["BSON", "CSpawn", "InputFiles", "MongoDriver", logging]),
        library("TLSProbe", ["CSSL"]),
        library("MongoDriver", ["BSON", "CMongoC", "InputFiles", "TLSProbe", logging]),
        library("Checksums", ["CCrypto"]),
        .executableTarget(name: "source-checksums", dependencies: ["Checksums"], swiftSettings: settings),
        .plugin(name: "SourceChecksums", capability: .buildTool(), dependencies: ["source-checksums"]),
        library("Journal", ["BSON", "MongoDriver", "Checksums", logging]),
        library("MigrationEngine", ["BSON", "MongoDriver", "Journal", logging]),
        library("StepFiles", ["BSON", "InputFiles", "MongoDriver", "Checksums", "Journal", "MigrationEngine"]),
        library("Consistency", ["BSON", "MongoDriver", "Journal"]),
        library("Chat", ["BSON", "InputFiles", "MongoDriver", "Checksums", "Journal", "Consistency", "CCrypt"]),
        library("Checks", ["BSON", "InputFiles", "MongoDriver", "Checksums", "Journal", "Consistency"]),
        .target(
            name: "ReportPage",
            dependencies: ["Journal", .product(name: "Mustache", package: "swift-mustache")],
            resources: [.embedInCode("report.html")],
            swiftSettings: settings
        ),
        .target(
            name: "Migrations",
            dependencies: ["Journal", "MigrationEngine", "Consistency", "Chat"],
            swiftSettings: settings,
            plugins: ["SourceChecksums"]
        ),
        .executableTarget(
            name: "chat-admin",
            dependencies: [
                "BSON", "InputFiles", "MongoDriver", "Journal", "MigrationEngine", "StepFiles", "Consistency", "Chat",
                "Checks", "Migrations", "ReportPage", "Sandbox", "TLSProbe", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport",
            dependencies: [
                "BSON", "MongoDriver", "Journal", "Sandbox", logging,
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: settings
        ),
        tests("BSONTests", ["BSON"]),
        tests("InputFilesTests", ["InputFiles"]),
        tests("ChecksumsTests", ["Checksums"]),
        tests("MongoDriverTests", ["MongoDriver", "BSON", "TestSupport", logging]),
        tests("JournalTests", ["Journal", "MongoDriver", "BSON", "TestSupport"]),
        tests("MigrationEngineTests", ["MigrationEngine", "Journal", "MongoDriver", "BSON", "TestSupport"]),
        tests("StepFilesTests", ["StepFiles", "MigrationEngine", "Journal", "MongoDriver", "BSON"]),
        tests("ConsistencyTests", ["Consistency", "Chat", "Journal", "MongoDriver", "BSON", "TestSupport"]),
        tests("ChecksTests", ["Checks", "Consistency", "BSON", "TestSupport"]),
        tests("ReportPageTests", ["ReportPage"]),
        tests("ChatTests", ["Chat", "TestSupport"]),
        tests("MigrationsTests", ["Migrations", "MigrationEngine", "Checksums", "TestSupport"]),
        .testTarget(
            name: "CommandTests",
            dependencies: ["chat-admin", "Consistency", "Journal", "MongoDriver", "BSON", "TestSupport", logging],
            exclude: ["Golden"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "FaultTests",
            dependencies: ["chat-admin", "Journal", "MongoDriver", "BSON", "TestSupport", logging],
            exclude: ["Steps", "Seeds"],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)

// What AddressSanitizer looks at: a program of its own, built without all that is above the driver.
if Context.environment["CHAT_ADMIN_DRIVER_ONLY"] == "1" {
    let kept: Set = [
        "CMongoC", "CCrypto", "CSpawn", "CSSL", "CYAML", "BSON", "InputFiles", "TLSProbe", "MongoDriver", "Checksums",
        "Journal", "Sandbox", "TestSupport", "BSONTests", "MongoDriverTests",
    ]
    package.targets.removeAll { !kept.contains($0.name) }
    package.products = []
}
