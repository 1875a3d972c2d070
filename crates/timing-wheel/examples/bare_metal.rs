//! Debouncing and blinking on a machine without an allocator: a wheel in a `static`-sized value, no feature enabled.
//!
//! Built as a library, so that it needs no runtime:
//! `cargo build -p tickless-wheel --example bare_metal --target x86_64-unknown-none`
//! (or any target for which there is a `core`).
#![no_std]

use timing_wheel::{ArrayWheel, Full, Handle};

/// What a timer means to this firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Toggle the lamp and come back.
    Blink,
    /// The button has been quiet for long enough.
    Settled,
}

/// Lamp and button of a board, driven by a millisecond counter.
#[derive(Debug)]
pub struct Board {
    timers: ArrayWheel<Event, 4>,
    button: Option<Handle>,
    /// Whether the lamp is on.
    pub lamp: bool,
    /// Presses after debouncing.
    pub presses: u32,
}

impl Board {
    /// The board at power-on, blinking.
    ///
    /// # Errors
    ///
    /// [`Full`] with the event that found no room.
    pub fn new(now_ms: u64) -> Result<Self, Full<Event>> {
        let mut timers = ArrayWheel::new(now_ms);
        timers.start(now_ms.saturating_add(500), Event::Blink)?;
        Ok(Self {
            timers,
            button: None,
            lamp: false,
            presses: 0,
        })
    }

    /// The button's interrupt: every bounce pushes the same timer back.
    ///
    /// # Errors
    ///
    /// [`Full`] with the event that found no room.
    pub fn button(&mut self, now_ms: u64) -> Result<(), Full<Event>> {
        let quiet = now_ms.saturating_add(20);
        if let Some(handle) = self.button
            && self.timers.rearm(handle, quiet).is_ok()
        {
            return Ok(());
        }
        self.button = Some(self.timers.start(quiet, Event::Settled)?);
        Ok(())
    }

    /// The main loop's turn: four nodes at most, so its time is bounded. Answers when it has to run again.
    ///
    /// # Errors
    ///
    /// [`Full`] with the event that found no room.
    pub fn turn(&mut self, now_ms: u64) -> Result<Option<u64>, Full<Event>> {
        self.timers.advance(now_ms);
        let mut budget = 4;
        while let Some(expired) = self.timers.pop(&mut budget) {
            match expired.value {
                Event::Blink => {
                    self.lamp = !self.lamp;
                    self.timers
                        .start(expired.deadline.saturating_add(500), Event::Blink)?;
                }
                Event::Settled => self.presses += 1,
            }
        }
        Ok(self.timers.next_bound())
    }
}
