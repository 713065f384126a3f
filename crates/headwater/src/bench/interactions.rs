//! Real interactions for benchmarks: the matrices of a split, and who and what to send load about.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use headwater_base::{Event, Fact, Interaction, SessionId, UserId};
use headwater_models::Row;
use headwater_models::matrix::Csr;
use headwater_training::presets::{self, Preset, Record, held_out};

use super::BenchError;

/// The two parts of a data set in the `split` format.
#[derive(Debug)]
pub struct Split {
    /// Users x items; the columns are the items of either part.
    pub train: Csr,
    /// The held-out items of each user.
    pub test: Vec<Vec<Row>>,
}

/// Who acts on what in a data set, in order of first appearance.
#[derive(Debug, Default)]
pub struct Traffic {
    /// The declared interaction type.
    pub kind: String,
    /// Users, or sessions where the data has no users.
    pub users: Vec<String>,
    /// Items.
    pub items: Vec<String>,
    /// Interactions.
    pub interactions: u64,
}

/// Numbers names in the order they come.
#[derive(Default)]
struct Numbers(HashMap<String, u32>);

impl Numbers {
    fn of(&mut self, name: &str) -> u32 {
        if let Some(number) = self.0.get(name) {
            return *number;
        }
        let number = self.0.len() as u32;
        self.0.insert(name.to_owned(), number);
        number
    }
}

/// Reads a folder in the `split` format.
pub fn split(path: &Path) -> Result<Split, BenchError> {
    let (mut users, mut items) = (Numbers::default(), Numbers::default());
    let mut cells = Vec::new();
    each(Preset::Split, path, &mut |interaction| {
        let user = interaction.actor.user.as_ref().map_or("", UserId::as_str);
        cells.push((users.of(user), items.of(interaction.item.as_str()), 1.0));
    })?;
    let mut test: Vec<Vec<Row>> = vec![Vec::new(); users.0.len()];
    let held_out = held_out::split_test(path, &mut |_, _| ControlFlow::Continue(()))
        .map_err(|error| BenchError::Usage(error.to_string()))?;
    for (user, held_out) in held_out {
        let user = users.of(&user) as usize;
        test.resize(users.0.len(), Vec::new());
        test[user].extend(held_out.iter().map(|item| items.of(item.as_str())));
    }
    let train = Csr::from_pairs(users.0.len(), items.0.len(), cells)
        .map_err(|error| BenchError::Usage(error.to_string()))?;
    Ok(Split { train, test })
}

/// Reads who and what is in a data set.
pub fn traffic(preset: Preset, path: &Path) -> Result<Traffic, BenchError> {
    let (mut users, mut items) = (Numbers::default(), Numbers::default());
    let mut traffic = Traffic::default();
    each(preset, path, &mut |interaction| {
        if traffic.kind.is_empty() {
            interaction.kind.as_str().clone_into(&mut traffic.kind);
        }
        traffic.interactions += 1;
        let actor = &interaction.actor;
        let session = actor.session.as_ref().map(SessionId::as_str);
        let name = actor.user.as_ref().map(UserId::as_str).or(session).unwrap_or_default();
        if users.of(name) as usize == traffic.users.len() {
            traffic.users.push(name.to_owned());
        }
        if items.of(interaction.item.as_str()) as usize == traffic.items.len() {
            traffic.items.push(interaction.item.as_str().to_owned());
        }
    })?;
    if traffic.users.is_empty() {
        return Err(BenchError::Usage(format!("{} holds no interactions", path.display())));
    }
    Ok(traffic)
}

fn each(preset: Preset, path: &Path, take: &mut dyn FnMut(&Interaction)) -> Result<(), BenchError> {
    presets::read(preset, path, &mut |record, _| {
        if let Record::Event(Event { fact: Fact::Interaction(interaction), .. }) = &record {
            take(interaction);
        }
        ControlFlow::Continue(())
    })
    .map_err(|error| BenchError::Usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_has_a_column_for_every_item_of_either_part() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("train.txt"), "0 5 7\n1 7\n2 9 5 7\n").unwrap();
        std::fs::write(folder.path().join("test.txt"), "1 5 8\n").unwrap();
        let split = split(folder.path()).unwrap();
        assert_eq!((split.train.rows(), split.train.columns(), split.train.entries()), (3, 4, 6));
        assert_eq!(split.test, [vec![], vec![0, 3], vec![]]);

        let traffic = traffic(Preset::Split, folder.path()).unwrap();
        assert_eq!(
            (traffic.users, traffic.items),
            (vec!["0".into(), "1".into(), "2".into()], vec!["5".into(), "7".into(), "9".into()])
        );
        assert_eq!(traffic.interactions, 6);
    }

    #[test]
    fn a_folder_without_the_files_is_a_usage_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(split(folder.path()), Err(BenchError::Usage(_))));
    }
}
