internal import BSON
internal import Journal

/// What is to be done about a counter that was seen wrong, left alone for the settling time, and looked at again.
///
/// The rule that makes setting a counter safe while the application writes, apart from everything that reads and writes:
///
/// 1. It was seen wrong.
/// 2. The settling time has passed since: whatever had inserted or deleted before has done its second half by now, or
///    never will.
/// 3. It was seen again, the counter *first* and then what it counts, exactly as before. So nothing was inserted or
///    deleted in between, and nothing is still to come.
/// 4. It is written by compare-and-set, so that whatever begins from then on finds either the old counter, and the
///    write doesn't happen, or the new one.
/// 5. It is sent once (`Run.applyOnce`): the application may bring the counter back to what was observed, rightly.
///
/// `CounterModelTests` tries it against every interleaving of small applications.
enum CounterVerdict: Equatable {
    /// It is right now.
    case right
    /// Something has changed since it was seen first: it has to settle anew.
    case moved
    /// It has come to rest and is wrong: the change is to be made by compare-and-set.
    case set(FieldChange)

    init(first: CounterObservation, second: CounterObservation, counter: Counter) {
        guard let change = second.repair(counter) else {
            self = .right
            return
        }
        self = first == second ? .set(change) : .moved
    }
}
