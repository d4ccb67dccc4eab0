/// How often each kind of damage happens in one generated database: a share of the documents it can happen to, 0 to 1.
struct DamageRates {
    /// Sessions whose `_id` is their ObjectId as text.
    let textSession: Double
    /// Sessions whose owner is text.
    let textOwner: Double
    /// References to sessions that are text although the session's `_id` isn't.
    let textReference: Double
    /// Owners of messages and artifacts that are text.
    let textUser: Double
    /// Messages and artifacts whose `_id` is text.
    let textID: Double
    /// Messages whose owner isn't the session's.
    let foreignOwner: Double
    /// Sessions with a wrong or mistyped `message_count`.
    let wrongCount: Double
    /// Sessions with a wrong `last_message_at`.
    let wrongLast: Double
    /// Whether a collection has a document with `_id: ""`.
    let emptyID: Double
    /// Whether a collection has a document with `_id: null`.
    let nullID: Double

    init(_ random: inout SplitMix64) {
        // One in six databases is spared a kind of damage altogether.
        func rate(_ highest: Double) -> Double { random.happens(1.0 / 6) ? 0 : random.fraction() * highest }
        textSession = rate(0.2)
        textOwner = rate(0.3)
        textReference = rate(0.2)
        textUser = rate(0.2)
        textID = rate(0.05)
        foreignOwner = rate(0.03)
        wrongCount = rate(0.8)
        wrongLast = rate(0.5)
        emptyID = 0.85
        nullID = 0.3
    }
}
