/// How a [`Coroutine::resume`](crate::Coroutine::resume) ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CoroutineState<Yield, Return> {
    /// The coroutine suspended with this value and can be resumed.
    Yielded(Yield),
    /// The coroutine's body returned this value.
    Complete(Return),
}

impl<Yield, Return> CoroutineState<Yield, Return> {
    /// The yielded value, if it is one.
    #[inline]
    pub fn yielded(self) -> Option<Yield> {
        match self {
            Self::Yielded(value) => Some(value),
            Self::Complete(_) => None,
        }
    }

    /// The return value, if it is one.
    #[inline]
    pub fn complete(self) -> Option<Return> {
        match self {
            Self::Yielded(_) => None,
            Self::Complete(value) => Some(value),
        }
    }
}
