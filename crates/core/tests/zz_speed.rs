mod world;
use world::*;
use world::op::*;
use sponsorhub_core::ledger::event::conversion::ConversionAccepted;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ids::*;
#[test]
fn speed() {
    let mut w = World::new(&Setup{budget:1_000_000_000,fee_bps:500,netting_bps:5000,minimum:0,clearing_days:0,attribution_days:1,replay_days:1});
    w.apply(&Op{at:T,ask:Ask::Expect{amount:1_000_000_000,budget_part:1_000_000_000}});
    w.apply(&Op{at:T,ask:Ask::Confirm{deposit:0}});
    w.apply(&Op{at:T,ask:Ask::Launch});
    for _ in 0..200 { w.apply(&Op{at:T,ask:Ask::Enroll{pay:Pay{flat:false,tiers:vec![(0,1000)]},cap:None,base:0,unlock:Unlock::Deliverable}}); }
    let mut c = w.campaign.clone();
    let bodies: Vec<Entry> = (0..1_000_000u64).map(|i| Entry{at:T,body:ConversionAccepted(taken(i as usize,1000+(i%100) as i64,T)).into(),campaign:CAMPAIGN,enrollment:Some((enrollment_id((i%200) as usize), c.enrollment(EnrollmentNo((i%200) as u32)).n+1+i/200)),salt:Salt([0;16]),seq:c.head+1+i}).collect();
    let bytes: Vec<Vec<u8>> = bodies.iter().map(|e| e.encode().unwrap()).collect();
    let t=std::time::Instant::now();
    let decoded: Vec<Entry> = bytes.iter().map(|b| Entry::decode(b).unwrap()).collect();
    eprintln!("decode {:?}", t.elapsed());
    let t=std::time::Instant::now();
    for e in &decoded { c.apply(e).unwrap(); }
    eprintln!("apply {:?}", t.elapsed());
    w.campaign=c;
    let t=std::time::Instant::now();
    let mut d = sponsorhub_core::ledger::draft::Draft::on(&w.campaign, T);
    eprintln!("draft {:?}", t.elapsed());
    let t=std::time::Instant::now();
    d.rollup(None).unwrap();
    eprintln!("rollup {:?} {}", t.elapsed(), d.entries().len());
}
