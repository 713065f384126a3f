//! `online-retail`: UCI Online Retail, one line per product of an invoice.
//!
//! A line whose invoice is cancelled (`C...`) or whose quantity is not positive is no interaction. A line without a
//! customer belongs to an anonymous session named by its invoice. The value of a purchase is quantity x unit price.
//! A product's description and price are those of its first sale; a customer's country likewise.

use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use hashbrown::HashSet;
use headwater_base::value::FieldType;
use headwater_base::{Actor, Fact, Fields, ItemId, SessionId, Timestamp, UserId, Value};

use super::Domain;
use super::feed::{Feed, Flow, event_id, interaction, item_upsert, latin_1, only, user_upsert};
use crate::TrainingError;

pub(super) const DOMAIN: Domain = Domain {
    interaction: "purchase",
    items: &[("description", FieldType::Text), ("price", FieldType::Numeric)],
    users: &[("country", FieldType::Categorical)],
    context: &[("country", FieldType::Categorical)],
    repeats: true,
};

const COLUMNS: [&str; 8] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
];

/// A readable line.
struct Sale {
    invoice: String,
    item: ItemId,
    description: String,
    quantity: i64,
    time: Timestamp,
    price: f64,
    customer: Option<UserId>,
    country: String,
}

pub(super) fn read(path: &Path, feed: &mut Feed<'_>) -> Flow {
    let file = only(path, "csv")?;
    feed.expect(&[&file])?;
    feed.enter(&file);
    let handle = File::open(&file).map_err(TrainingError::io(&file))?;
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(BufReader::new(handle));
    let failed = |error: csv::Error| TrainingError::io(&file)(error.into());
    let headers = reader.byte_headers().map_err(failed)?.clone();
    let mut columns = [0; COLUMNS.len()];
    for (column, name) in columns.iter_mut().zip(COLUMNS) {
        *column = headers.iter().position(|header| header == name.as_bytes()).ok_or_else(|| {
            TrainingError::Missing { path: file.clone(), expected: format!("a CSV with a column {name}") }
        })?;
    }
    let (mut items, mut customers) = (HashSet::new(), HashSet::new());
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(failed)? {
        feed.advance_to(reader.position().byte());
        let number = record.position().map_or(0, csv::Position::line);
        let flow = match sale(&record, &columns) {
            Err(reason) => feed.refuse(number, reason),
            Ok(sale) if sale.invoice.starts_with(['C', 'c']) => feed.leave_out(number, "cancelled invoice"),
            Ok(sale) if sale.quantity <= 0 => feed.leave_out(number, "quantity is not positive"),
            Ok(sale) => {
                let content = record.as_slice();
                take(
                    feed,
                    &sale,
                    |index| event_id("retail", content, number, index),
                    &mut items,
                    &mut customers,
                )
            }
        };
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Hands over the purchase, behind the product and the customer where they are new.
fn take(
    feed: &mut Feed<'_>,
    sale: &Sale,
    id: impl Fn(usize) -> compact_str::CompactString,
    items: &mut HashSet<ItemId>,
    customers: &mut HashSet<UserId>,
) -> ControlFlow<()> {
    let country = || Fields::new([("country".into(), Value::Categorical(sale.country.as_str().into()))]);
    if !items.contains(&sale.item) {
        items.insert(sale.item.clone());
        let mut fields = Fields::default();
        fields.set("price".into(), Value::Numeric(sale.price));
        if !sale.description.is_empty() {
            fields.set("description".into(), Value::Text(sale.description.clone()));
        }
        feed.event(id(1), sale.time, item_upsert(sale.item.clone(), fields))?;
    }
    if let Some(user) = &sale.customer
        && !customers.contains(user)
    {
        customers.insert(user.clone());
        feed.event(id(2), sale.time, user_upsert(user.clone(), country()))?;
    }
    let actor = match &sale.customer {
        Some(user) => Actor::user(user.clone()),
        None => Actor::session(SessionId::trusted(sale.invoice.as_str())),
    };
    let value = (sale.quantity as f64 * sale.price) as f32;
    let mut fact = interaction(DOMAIN.interaction, actor, sale.item.clone(), Some(value));
    if let Fact::Interaction(interaction) = &mut fact {
        interaction.context = country();
    }
    feed.event(id(0), sale.time, fact)
}

fn sale(record: &ByteRecord, columns: &[usize; COLUMNS.len()]) -> Result<Sale, String> {
    let mut texts = COLUMNS.iter().zip(columns).map(|(name, column)| {
        let bytes = record.get(*column).ok_or_else(|| format!("the column {name} is missing"))?;
        let text = std::str::from_utf8(bytes).map_or_else(|_| latin_1(bytes), str::to_owned);
        Ok::<_, String>(text.trim().to_owned())
    });
    let mut next = || texts.next().unwrap_or_else(|| Err("a column is missing".to_owned()));
    let invoice = next()?;
    SessionId::parse(&invoice).map_err(|_| format!("the invoice `{invoice}` is not an id"))?;
    let item = ItemId::parse(&next()?).map_err(|invalid| invalid.to_string())?;
    let description = next()?;
    let text = next()?;
    let quantity = text.parse().map_err(|_| format!("the quantity `{text}` is not a whole number"))?;
    let text = next()?;
    let time = moment(&text).ok_or_else(|| format!("the date `{text}` is not like 2010-12-01 08:26:00"))?;
    let text = next()?;
    let price: Option<f64> = text.parse().ok().filter(|price: &f64| price.is_finite());
    let price = price.ok_or_else(|| format!("the price `{text}` is not a finite number"))?;
    let customer = next()?;
    // Customers went through a spreadsheet as numbers: 17850.0 is 17850.
    let customer = match customer.strip_suffix(".0").unwrap_or(&customer) {
        "" => None,
        id => Some(UserId::parse(id).map_err(|invalid| invalid.to_string())?),
    };
    Ok(Sale { invoice, item, description, quantity, time, price, customer, country: next()? })
}

/// `2010-12-01 08:26:00`, taken as UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let (day, time) = text.split_once([' ', 'T'])?;
    let moment: Timestamp = format!("{day}T{}Z", time.trim_end_matches('Z')).parse().ok()?;
    (moment >= Timestamp::EPOCH).then_some(moment)
}
