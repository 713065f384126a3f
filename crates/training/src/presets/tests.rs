//! Each preset on a handful of lines.

use std::fs;
use std::path::PathBuf;

use headwater_base::{Actor, Fact, ItemId, SessionId, UserId, Value};

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn of(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

#[derive(Default)]
struct Found {
    events: Vec<Event>,
    refused: Vec<(u64, String)>,
    left_out: Vec<u64>,
}

/// Reads all, checking what holds for every preset: the events keep its schema, their ids differ, the progress ends
/// at the total, and a second reading gives the same.
fn read_all(preset: Preset, folder: &Folder) -> Found {
    let once = || {
        let (mut found, mut last) = (Found::default(), Progress::default());
        read(preset, &folder.path(), &mut |record, progress| {
            assert!(progress.bytes >= last.bytes && progress.bytes <= progress.total);
            last = progress;
            match record {
                Record::Event(event) => found.events.push(event),
                Record::Refused(line) => found.refused.push((line.number, line.reason)),
                Record::LeftOut(line) => found.left_out.push(line.number),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(last.bytes, last.total);
        found
    };
    let found = once();
    assert_eq!(once().events, found.events);
    for event in &found.events {
        preset.schema().validate(event).unwrap();
        assert!(event.id.as_str().len() <= 24, "{} is stored without an allocation", event.id);
    }
    let mut ids: Vec<_> = found.events.iter().map(|event| event.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), found.events.len());
    assert!(found.events.is_sorted_by_key(|event| event.time));
    found
}

/// Actor, item and value of the interactions.
fn interactions(found: &Found) -> Vec<(String, String, Option<f32>)> {
    let interaction = |event: &Event| match &event.fact {
        Fact::Interaction(interaction) => {
            let Actor { user, session } = &interaction.actor;
            let user = user.as_ref().map(|user| user.as_str().to_owned());
            let session = session.as_ref().map(|session| format!("~{session}"));
            Some((user.or(session).unwrap(), interaction.item.to_string(), interaction.value))
        }
        _ => None,
    };
    found.events.iter().filter_map(interaction).collect()
}

fn pairs(found: &Found) -> Vec<(String, String)> {
    interactions(found).into_iter().map(|(actor, item, _)| (actor, item)).collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn split_takes_the_training_file_only() {
    let folder = Folder::of(&[("train.txt", b"0 5 7\n2\n\n1 5\n"), ("test.txt", b"0 9\n")]);
    let found = read_all(Preset::Split, &folder);
    assert_eq!(pairs(&found), owned(&[("0", "5"), ("0", "7"), ("1", "5")]));
    assert_eq!(found.events[0].time, SYNTHETIC_START);
    assert_eq!(found.events[2].time, SYNTHETIC_START.plus(2 * STEP));
    let test = held_out::split_test(&folder.path(), &mut |_, _| ControlFlow::Continue(())).unwrap();
    assert_eq!(test, [("0".to_owned(), vec![ItemId::trusted("9")])]);
}

#[test]
fn sequence_ignores_further_columns_and_refuses_short_lines() {
    let folder = Folder::of(&[("a.txt", b"u1 i1 5 978300760\r\nu1\nu2\ti1\n\xff i9\nu1 i1\n")]);
    let found = read_all(Preset::Sequence, &folder);
    assert_eq!(pairs(&found), owned(&[("u1", "i1"), ("u2", "i1"), ("u1", "i1")]));
    let refused: Vec<_> = found.refused.iter().map(|(number, _)| *number).collect();
    assert_eq!(refused, [2, 4]);
    assert_eq!(found.refused[1].1, "not UTF-8");
}

#[test]
fn sequence_takes_a_file_or_a_folder_with_one() {
    let folder = Folder::of(&[("a.txt", b"u i\n"), ("README", b"x")]);
    let count = |path: &std::path::Path| {
        let mut count = 0;
        read(Preset::Sequence, path, &mut |_, _| {
            count += 1;
            ControlFlow::Continue(())
        })
        .map(|()| count)
    };
    assert_eq!(count(&folder.path()).unwrap(), 1);
    assert_eq!(count(&folder.path().join("a.txt")).unwrap(), 1);
    fs::write(folder.path().join("b.txt"), "u i\n").unwrap();
    let error = count(&folder.path()).unwrap_err().to_string();
    assert!(error.contains("a folder with one .txt (it has 2)"), "{error}");
}

#[test]
fn sessions_are_anonymous_and_keep_repeats() {
    let folder = Folder::of(&[
        ("train_sessions.txt", b"1 2 2\n3 1\n"),
        ("test_prefix_label.tsv", b"1 2\t3\nno tab\n4\t4\n"),
    ]);
    let found = read_all(Preset::Sessions, &folder);
    let expected = [("~s1", "1"), ("~s1", "2"), ("~s1", "2"), ("~s2", "3"), ("~s2", "1")];
    assert_eq!(pairs(&found), owned(&expected));
    let mut refused = 0;
    let test = held_out::sessions_test(&folder.path(), &mut |_, _| {
        refused += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    let id = ItemId::trusted;
    assert_eq!(test, [(vec![id("1"), id("2")], id("3")), (vec![id("4")], id("4"))]);
    assert_eq!(refused, 1);
}

#[test]
fn movielens_comes_in_time_order_behind_its_metadata() {
    let folder = Folder::of(&[
        ("u.data", b"2\t1\t3\t200\n1\t1\t5\t100\n1\t2\tx\t100\n1\t2\t4\n9\t1\t1\t-5\n"),
        ("u.item", b"1|L\xe9on (1994)|01-Jan-1994||http://x|0|1|0|0|0|1\n2|short\n"),
        ("u.user", b"1|24|M|technician|85711\n2|x|F|other|1\n"),
    ]);
    let found = read_all(Preset::Movielens, &folder);
    assert_eq!(
        interactions(&found),
        [("1".to_owned(), "1".to_owned(), Some(5.0)), ("2".to_owned(), "1".to_owned(), Some(3.0)),]
    );
    assert_eq!(found.refused.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3, 4, 5, 2, 2]);
    let Fact::ItemUpsert { item, fields, .. } = &found.events[0].fact else { panic!("metadata first") };
    assert_eq!(item, &ItemId::trusted("1"));
    assert_eq!(fields.get("title"), Some(&Value::Text("Léon (1994)".to_owned())));
    assert_eq!(fields.get("genres"), Some(&Value::Tags(vec!["Action".into(), "Comedy".into()])));
    assert_eq!(fields.get("released"), Some(&Value::Time("1994-01-01T00:00:00Z".parse().unwrap())));
    let Fact::UserUpsert { user, fields, .. } = &found.events[1].fact else { panic!("users second") };
    assert_eq!((user, fields.get("age")), (&UserId::trusted("1"), Some(&Value::Numeric(24.0))));
    assert_eq!(found.events[1].time, Timestamp::from_seconds(100));
}

#[test]
fn retail_leaves_returns_out_and_names_anonymous_sessions_by_invoice() {
    let csv = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,A,\"LAMP, RED\",2,2010-12-01 08:26:00,2.5,17850.0,France
1,A,\"LAMP, RED\",2,2010-12-01 08:26:00,2.5,17850.0,France
C2,A,LAMP,-1,2010-12-01 08:27:00,2.5,17850.0,France
3,B,,-5,2010-12-01 08:28:00,0.0,,United Kingdom
4,B,MUG,1,2010-12-01 08:29:00,3,,United Kingdom
5,B,MUG,one,2010-12-01 08:29:00,3,,United Kingdom
6,B,MUG,1,12/1/2010 8:29,3,,United Kingdom
7,B
";
    let folder = Folder::of(&[("r.csv", csv)]);
    let found = read_all(Preset::OnlineRetail, &folder);
    assert_eq!(
        interactions(&found),
        [
            ("17850".to_owned(), "A".to_owned(), Some(5.0)),
            ("17850".to_owned(), "A".to_owned(), Some(5.0)),
            ("~4".to_owned(), "B".to_owned(), Some(3.0)),
        ]
    );
    assert_eq!(found.left_out, [4, 5]);
    assert_eq!(found.refused.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [7, 8, 9]);
    let Fact::ItemUpsert { fields, .. } = &found.events[0].fact else { panic!("the product first") };
    assert_eq!(fields.get("description"), Some(&Value::Text("LAMP, RED".to_owned())));
    let Fact::Interaction(last) = &found.events.last().unwrap().fact else { panic!("a purchase last") };
    assert_eq!(last.actor, Actor::session(SessionId::trusted("4")));
    assert_eq!(last.context.get("country"), Some(&Value::Categorical("United Kingdom".into())));
}

#[test]
fn a_sink_that_breaks_stops_the_reading() {
    let folder = Folder::of(&[("a.txt", b"u 1\nu 2\nu 3\n")]);
    let mut seen = 0;
    read(Preset::Sequence, &folder.path(), &mut |_, _| {
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(seen, 2);
}

#[test]
fn what_is_missing_is_named() {
    let folder = Folder::of(&[("x.csv", b"InvoiceNo,StockCode\n")]);
    let path = folder.path();
    let fail = |preset| read(preset, &path, &mut |_, _| ControlFlow::Continue(())).unwrap_err().to_string();
    assert!(fail(Preset::Split).contains("a folder with train.txt"));
    assert!(fail(Preset::Movielens).contains("a folder with u.data"));
    assert!(fail(Preset::OnlineRetail).contains("a CSV with a column Description"));
    assert_eq!("splt".parse::<Preset>().unwrap_err().field, "preset");
}

#[test]
fn settings_say_what_the_schema_says() {
    let text = Preset::Movielens.settings();
    assert!(text.contains("[interactions.rating]\nweight = 1.0\n"), "{text}");
    assert!(text.contains("[items.fields]\ngenres = \"tags\"\n"), "{text}");
    assert!(Preset::Sessions.settings().starts_with("[domain]\nrepeats = true\n"));
}
