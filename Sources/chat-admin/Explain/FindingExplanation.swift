internal import Consistency

/// What a finding means to the person who has it: `explain`, and docs/findings.md, are made from this.
struct FindingExplanation {
    /// What is wrong, and what the application's users see of it.
    let meaning: String
    /// How it comes about.
    let cause: String
    /// What a repair does; of a finding that is only reported, why there is none.
    let repair: String
    /// What is left to a person, if anything is.
    let decision: String?

    fileprivate init(_ meaning: String, cause: String, repair: String, decision: String? = nil) {
        (self.meaning, self.cause, self.repair, self.decision) = (meaning, cause, repair, decision)
    }

    /// Its parts in order, with their titles; the first has none.
    var parts: [(title: String?, text: String)] {
        let parts: [(String?, String?)] = [
            (nil, meaning), ("How it comes about", cause), ("What a repair does", repair),
            ("What is yours to decide", decision),
        ]
        return parts.compactMap { title, text in text.map { (title, $0) } }
    }

    /// The explanation of a code.
    static func of(_ code: FindingCode) -> FindingExplanation {
        switch code {
        case .emptyID: emptyID
        case .nullID: nullID
        case .textID: textID
        case .foreignID: foreignID
        case .emptyReference: emptyReference
        case .textReference: textReference
        case .missingReference: missingReference
        case .danglingReference: danglingReference
        case .foreignOwner: foreignOwner
        case .orphan: orphan
        case .unfinishedRun: unfinishedRun
        case .missingField: missingField
        case .fieldType: fieldType
        case .wrongCount: wrongCount
        case .countType: countType
        case .wrongLatest: wrongLatest
        case .duplicateUser: duplicateUser
        case .lookalikeUser: lookalikeUser
        case .missingPassword: missingPassword
        case .missingGuard: missingGuard
        case .missingIndex: missingIndex
        }
    }
}

extension FindingExplanation {
    private static let bug = """
        The application's model writes its own id into _id. The published fix, exclude={"_id"}, excludes nothing: \
        exclude takes the names of fields, not their aliases.
        """

    static let emptyID = FindingExplanation(
        """
        A document's _id is the empty string. A collection can hold one of these: every further insert with an empty _id \
        fails with E11000, and the application, which looks documents up by ObjectId, doesn't see this one.
        """, cause: bug,
        repair: """
            `repair ids` writes the document again under a new ObjectId that carries its created_at. References that \
            provably mean it follow, and the old one is deleted.
            """,
        decision: "Mend the application first: as long as it has the bug, another such document arrives.")

    static let nullID = FindingExplanation(
        "A document's _id is null. It is unreachable, and the only one that its collection can hold.",
        cause: "The application's model says id=None by default and writes it. \(bug)",
        repair: "`repair ids`, as for id.empty.")

    static let textID = FindingExplanation(
        "A document's _id is the text of an ObjectId. The application looks for the ObjectId, and doesn't find it.",
        cause: "An id was made as text, or went through JSON, before it was inserted.",
        repair: "`repair ids` gives it that very ObjectId if it is free, or else a new one; references follow.")

    static let foreignID = FindingExplanation(
        "A document's _id is neither an ObjectId nor the text of one, such as a number.",
        cause: "Another program, an import, or a test wrote it.",
        repair: "None: no ObjectId can be derived from it.",
        decision: """
            Find out who writes such documents. Leave them; or insert each anew without an _id, let what refers to it name \
            the new one, and delete the old one.
            """)

    static let emptyReference = FindingExplanation(
        "A reference, such as a message's session_id, is the empty string. The application shows it nowhere.",
        cause: "It was made while the document that it belongs to had the empty _id.",
        repair: """
            `repair ids` and `repair references` let it follow a repaired document if the owner is the same and there is \
            one candidate.
            """,
        decision: "Where several could be meant, it is yours to attach, or to leave.")

    static let textReference = FindingExplanation(
        """
        A reference is the text of an ObjectId. The application looks for the ObjectId: the session, or the message, is \
        created, and nobody sees it.
        """,
        cause:
            "The same write that makes an empty _id writes user_id and session_id as text; so does exclude={\"id\"}.",
        repair: "`repair references` puts the ObjectId in its place, where a document has it.",
        decision: "Text that names no document, or several, stays as it is: what it meant is gone, or ambiguous.")

    static let missingReference = FindingExplanation(
        "A required reference is null or absent.", cause: "An import, or an older version of the application.",
        repair: "None: nothing tells what it should name.",
        decision: "Attach it by hand, or delete the document as the application does.")

    static let danglingReference = FindingExplanation(
        "A reference names no document, or isn't an ObjectId at all.",
        cause: """
            The document was removed and what refers to it wasn't; or it still has a wrong _id, and the reference \
            will be right once that is repaired.
            """,
        repair: "None by itself. After `repair ids` many of these are gone: check again.",
        decision: "If the document is gone, only a backup has it.")

    static let foreignOwner = FindingExplanation(
        "A message's or an artifact's owner isn't the owner of its session.",
        cause: "It was attached to another user's session, by hand or by a program.",
        repair: "None: either of the two can be the wrong one.",
        decision: "Find out why before you change either: one user may see what belongs to another.")

    static let orphan = FindingExplanation(
        "Documents belong to an account that has been deleted. Nobody sees them.",
        cause: "The application deletes accounts for good, and leaves their sessions, messages and artifacts.",
        repair: "None: it is no damage.",
        decision: "Keep them, or delete them when your rules for personal data say so. The samples name accounts.")

    static let unfinishedRun = FindingExplanation(
        "A run was killed, and what it had begun is still open. A document may be in the journal alone.",
        cause: "kill -9, a crash, a power cut, or a dump that was taken during a run.",
        repair: """
            Any command that changes something finishes it first, if the document's place is free. `repair all` does, and \
            mends the rest.
            """,
        decision: "Don't drop the journal before that.")

    static let missingField = FindingExplanation(
        """
        A field that the application can't do without is absent or null. A session without last_message_at breaks \
        its user's whole sidebar; a user without full_name or email can't log in; without deleted a document is \
        shown nowhere.
        """,
        cause: "An import, an older version of the application, or an edit by hand.",
        repair: """
            `repair fields` sets deleted to false, and a full_name to the user's name. `repair counts` sets an absent \
            last_message_at.
            """,
        decision: """
            A missing email is yours to find. A missing username is a warning: the account logs in by its \
            address.
            """)

    static let fieldType = FindingExplanation(
        "A field holds another type than the application takes, such as a date that is kept as text.",
        cause: "An import through JSON or CSV, or an edit by hand.",
        repair: "None: what the value should be isn't known for sure.",
        decision: "Convert it by a step in a file, which can be planned and undone.")

    static let wrongCount = FindingExplanation(
        "A session's message_count isn't the number of its live messages.",
        cause: """
            The application inserts a message and counts it in two writes: one of them can fail. Deleting a message \
            twice counts down twice.
            """,
        repair: """
            `repair counts` waits until count and messages have rested, looks again, and sets the count only while \
            it is still the one that was seen.
            """,
        decision: """
            A session that something still changes after --rounds looks stays unsettled: see to it that the application \
            counts what it inserts, or try again at a quieter hour.
            """)

    static let countType = FindingExplanation(
        "A session's message_count is absent, null, text, or another thing that can't be counted with.",
        cause: "An import or an edit by hand.", repair: "`repair counts`, as for count.wrong.")

    static let wrongLatest = FindingExplanation(
        "A session's last_message_at isn't the time of its newest message.",
        cause: """
            The write that follows a message failed, or somebody edited it. (Deleting the newest message leaves the time as \
            it is: a time up to a minute after the newest message, deleted or not, counts as right.)
            """,
        repair: "`repair counts` sets it together with the count.",
        decision: "Where a message has no date the time is left: give it one, and repair the counts again.")

    static let duplicateUser = FindingExplanation(
        "Two users have the same username or email. Which of them logs in is chance.",
        cause: "Two sign-ups at once: the application looks for the name before it inserts, and has no unique index.",
        repair: "None. `migrate up` makes unique indexes in step 6, and refuses as a whole while there are such users.",
        decision: "Decide who keeps the name; the other one gets another.")

    static let lookalikeUser = FindingExplanation(
        "Two users' names or emails differ in case alone.", cause: "Two people, or one who signed up twice.",
        repair: "None: the application takes them for two, and so they are.",
        decision: "Ask them, if it matters.")

    static let missingPassword = FindingExplanation(
        "A user has no hash that the application could check a password against.",
        cause: "An account from a Google login has none by right; others come from an import.",
        repair: "`seed` completes the users that it knows.", decision: "Others need a new password.")

    static let missingGuard = FindingExplanation(
        "Nothing keeps an _id that isn't an ObjectId out of the collection.",
        cause: "The step that sets the guard isn't applied, or the collection was dropped since.",
        repair: """
            Step 1 of `migrate up` sets a validator. An application that still has the bug gets an error for every \
            document with an empty _id from then on. A validator that is off, or only warns, is left as it is. Where the \
            step is applied and the guard got lost since, `repair guard` sets it again.
            """)

    static let missingIndex = FindingExplanation(
        "An index is missing: one that the application's lists or counting need, or one that keeps users' names and emails unique.",
        cause: "The application makes none. The step isn't applied, or somebody dropped it.",
        repair: """
            Steps 4 and 6 of `migrate up` make them. Where the step is applied and an index got lost since, `repair \
            indexes` makes it again.
            """)
}
