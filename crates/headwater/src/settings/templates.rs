//! Settings to start from: one template per domain, and the settings of each preset data set.

/// The templates of `init --template`, by name.
pub const TEMPLATES: [(&str, &str); 4] = [
    ("shop", include_str!("templates/shop.toml")),
    ("video", include_str!("templates/video.toml")),
    ("news", include_str!("templates/news.toml")),
    ("music", include_str!("templates/music.toml")),
];

/// The template called `name`.
pub fn template(name: &str) -> Option<&'static str> {
    TEMPLATES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{load, render};

    #[test]
    fn every_template_is_sound_and_survives_being_printed() {
        for (name, text) in TEMPLATES {
            let loaded = load::read(name, text, &[]).unwrap_or_else(|report| panic!("{name}: {report:?}"));
            let printed = render::effective(&loaded).unwrap();
            let again = load::read(name, &printed, &[]).unwrap_or_else(|report| panic!("{name}: {report:?}"));
            assert_eq!(again.settings.hash(), loaded.settings.hash(), "{name}");
        }
    }
}
