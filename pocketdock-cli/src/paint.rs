//! Colour: what wears which, and when there is any (no-color.org, bixense.com/clicolors).

/// Colours text, or leaves it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    pub(crate) const PLAIN: &'static str = "";
    pub(crate) const BOLD: &'static str = "1";
    pub(crate) const DIM: &'static str = "2";
    pub(crate) const RED: &'static str = "31";
    pub(crate) const GREEN: &'static str = "32";
    pub(crate) const YELLOW: &'static str = "33";

    pub(crate) fn bold(self, text: &str) -> String {
        self.wrap(Self::BOLD, text)
    }

    /// The status words of an engine: green runs, yellow waits, red is broken, dim is over.
    pub(crate) fn status(word: &str) -> &'static str {
        match word {
            "running" => Self::GREEN,
            "paused" | "restarting" => Self::YELLOW,
            "dead" => Self::RED,
            _ => Self::DIM,
        }
    }

    /// Text in the colour of a code.
    pub(crate) fn wrap(self, code: &str, text: &str) -> String {
        match self.0 && code != Self::PLAIN {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColorChoice {
    /// On a terminal that can, unless the environment says otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What the environment says about colour.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ColorHints {
    /// `NO_COLOR` is set and not empty (no-color.org).
    pub(crate) no_color: bool,
    /// `CLICOLOR_FORCE` is set, not empty and not `0` (bixense.com/clicolors).
    pub(crate) force: bool,
    /// `TERM` is `dumb`.
    pub(crate) dumb: bool,
}

impl ColorChoice {
    /// Decides for one stream; the option outranks the environment.
    pub(crate) fn paint(self, hints: ColorHints, terminal: bool) -> Paint {
        Paint(match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => !hints.no_color && (hints.force || (terminal && !hints.dumb)),
        })
    }
}

/// Reads `--color`'s value.
pub(crate) fn color_choice(word: &str) -> Result<ColorChoice, &'static str> {
    match word {
        "auto" => Ok(ColorChoice::Auto),
        "always" => Ok(ColorChoice::Always),
        "never" => Ok(ColorChoice::Never),
        _ => Err("auto, always or never"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_follows_the_option_then_the_environment_then_the_terminal() {
        let none = ColorHints::default();
        let no_color = ColorHints {
            no_color: true,
            ..none
        };
        let force = ColorHints {
            force: true,
            ..none
        };
        let dumb = ColorHints { dumb: true, ..none };
        #[rustfmt::skip]
        let cases = [
            (ColorChoice::Auto,   none,     true,  true),
            (ColorChoice::Auto,   none,     false, false),
            (ColorChoice::Auto,   no_color, true,  false),
            (ColorChoice::Auto,   force,    false, true),
            (ColorChoice::Auto,   dumb,     true,  false),
            (ColorChoice::Always, no_color, false, true),
            (ColorChoice::Never,  force,    true,  false),
        ];
        for (choice, hints, terminal, want) in cases {
            assert_eq!(
                choice.paint(hints, terminal),
                Paint(want),
                "{choice:?} {hints:?}"
            );
        }
    }
}
