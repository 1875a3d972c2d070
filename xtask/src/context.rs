//! What the stages of `test` share.

use crate::runner::Runner;
use crate::workspace::Workspace;

/// What a stage has to work with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) workspace: Workspace,
    pub(crate) runner: Runner,
    /// Run the long forms.
    pub(crate) long: bool,
}
