/// What every contestant can do, each in the best way that it offers.
///
/// A timer's id is the value that comes out when it expires. Its key is the 64 bits that an event about it carries, as
/// `epoll_data` does: the handle where the contestant gives one that stays good, else the id, and then the contestant
/// keeps what it needs to find the timer again in a table by id.
pub trait Timers: Sized + 'static {
    /// The name that ends the ratio's key.
    const NAME: &'static str;

    /// Names a running timer.
    type Key: Copy;

    /// Room for the ids below `timers`, at tick 0.
    fn new(timers: usize) -> Self;

    /// Forgets every timer and keeps the memory; time stays.
    fn reset(&mut self);

    /// Starts the timer `id`, which is not running.
    fn start(&mut self, id: u32, deadline: u64) -> Self::Key;

    /// Gives the running timer another deadline.
    fn rearm(&mut self, key: Self::Key, deadline: u64);

    /// Stops the running timer.
    fn cancel(&mut self, key: Self::Key);

    /// Lets time pass and hands each due timer to `out`.
    fn advance(&mut self, now: u64, out: &mut impl FnMut(u32));

    /// When to wake up: at or before the first deadline, as near as is cheap.
    fn next(&mut self) -> Option<u64>;
}
