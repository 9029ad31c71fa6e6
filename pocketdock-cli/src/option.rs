//! What an option of the command line is. Which ones there are is in `command.rs`.

/// One option.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opt {
    /// The name with its dashes.
    pub(crate) long: &'static str,
    /// The letter of the short form.
    pub(crate) short: Option<char>,
    /// The name of its value; empty for a flag.
    pub(crate) value: &'static str,
    /// What holds when it is not given; empty if that is nothing.
    pub(crate) default: &'static str,
    /// What it does, one line.
    pub(crate) help: &'static str,
    /// A value to copy; empty for a flag.
    pub(crate) example: &'static str,
    /// Whether it may be given more than once.
    pub(crate) repeats: bool,
}

impl Opt {
    /// Whether a value must follow.
    pub(crate) fn takes_value(&self) -> bool {
        !self.value.is_empty()
    }

    /// With a short form.
    pub(crate) const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    /// With what holds when it is not given.
    pub(crate) const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// One that may be given again and again.
    pub(crate) const fn repeats(mut self) -> Self {
        self.repeats = true;
        self
    }
}

/// One that is given or not.
pub(crate) const fn flag(long: &'static str, help: &'static str) -> Opt {
    option(long, "", "", help)
}

/// One with a value.
pub(crate) const fn option(
    long: &'static str,
    value: &'static str,
    example: &'static str,
    help: &'static str,
) -> Opt {
    Opt {
        long,
        short: None,
        value,
        default: "",
        help,
        example,
        repeats: false,
    }
}
