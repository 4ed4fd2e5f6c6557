//! Words: addresses that are exact enough (R-LOCATE-1), expressions that must not reach a customer (R-CONTACT-2).

use crate::workflow::support::{place, position};
use callout_server::workflow::places::{address_is_exact, distance_m, place_check};
use callout_server::workflow::replies::{
    ExpressionLanguage, ForbiddenExpression, ForbiddenExpressions, customer_text_check,
};
use callout_sync_protocol::problem::ProblemType;
use proptest::prelude::*;

#[test]
fn r_locate_1_road_and_number_or_village_and_team() {
    for exact in [
        "人民路12号",
        "武昌区 解放东街 甲3号 2单元",
        "中山大道１２３号",
        "石牌弄7弄3号",
        "建设路二十三号",
        "河西村三队",
        "东山镇河西村 5 组",
        "12 Renmin Road, Wuchang",
        "Zhongshan Ave 5",
        "Hexi village, team 3",
    ] {
        assert!(address_is_exact(exact), "{exact}");
    }
    for vague in [
        "",
        "武昌区",
        "人民路",
        "人民路附近",
        "12号",
        "路12号",
        "河西村",
        "三队",
        "村三队",
        "火车站旁边的大楼",
        "Renmin Road",
        "12",
        "Hexi village",
        "near the best shop 5",
    ] {
        assert!(!address_is_exact(vague), "{vague}");
    }
}

#[test]
fn r_locate_1_coordinates_too() {
    assert!(place_check(&place()).is_ok());
    let mut off = place();
    off.position = position(30.0, 181.0);
    assert_eq!(place_check(&off).unwrap_err().problem, ProblemType::InvalidField);
}

#[test]
fn distances_are_those_of_the_sphere() {
    // One degree of latitude on a sphere of 6371.0088 km.
    let degree = distance_m(position(30.0, 114.0), position(31.0, 114.0));
    assert!((degree - 111_195.08).abs() < 0.1, "{degree}");
    assert_eq!(distance_m(position(30.0, 114.0), position(30.0, 114.0)), 0.0);
}

/// The standard's own examples (现场投诉处理规范), and close variants.
#[test]
fn r_contact_2_forbidden_expressions_are_found() {
    let list = ForbiddenExpressions::default();
    for rude in [
        "我只是负责测试的，我不是移动公司的人，这个事不归我管。",
        "我也不知道，你以后问别人吧。",
        "移动网络就是这个样子，你凑合着用吧。",
        "这是移动公司的规定，我也不知道。",
        "网络就是这样爱用不用。",
        "你那里就这样了我们解决不了、不好你可以转网",
        "您好。网络 就是 这样，请谅解。",
        "This is NOT our job.",
        "Well, that’s just how the network is",
        "You will have to put up with it",
    ] {
        let refused = customer_text_check("text", rude, &list).unwrap_err();
        assert_eq!(refused.problem, ProblemType::InvalidField);
        assert!(refused.detail.starts_with("text: ") && refused.detail.contains('«'), "{}", refused.detail);
    }
}

#[test]
fn r_contact_2_polite_words_pass() {
    let list = ForbiddenExpressions::default();
    for polite in [
        "",
        "您好，我们已完成三网测试，正在调整附近基站的天线，周三前复测。",
        "网络问题由我们负责处理，请您放心。",
        "We tested all three networks; the antenna will be tilted by Wednesday. The job is ours.",
        // The parts stand in different sentences.
        "The fault is not solved yet. It is our job to solve it.",
        "不用担心。我们会将就近基站的功率提高，请继续使用。",
    ] {
        assert!(list.found_in(polite).is_empty(), "{polite}: {:?}", list.found_in(polite));
    }
}

#[test]
fn r_contact_2_the_list_is_data() {
    let text = r#"[{"language":"en","parts":["your own fault"],"reason":"blames the customer"}]"#;
    let list: ForbiddenExpressions = serde_json::from_str(text).unwrap();
    assert_eq!(list.found_in("It is your  own fault!").len(), 1);
    assert_eq!(list.found_in("It is your own faulty phone"), Vec::<&ForbiddenExpression>::new(), "whole words");
    // An entry without words forbids nothing.
    let blank =
        ForbiddenExpression { language: ExpressionLanguage::Chinese, parts: vec![" ".into()], reason: "".into() };
    assert!(ForbiddenExpressions(vec![blank]).found_in("任何话").is_empty());
}

proptest! {
    #[test]
    fn no_text_makes_the_word_checks_panic(text in any::<String>(), part in any::<String>()) {
        address_is_exact(&text);
        ForbiddenExpressions::default().found_in(&text);
        for language in ExpressionLanguage::ALL {
            let entry = ForbiddenExpression { language: *language, parts: vec![part.clone(), part.clone()], reason: String::new() };
            ForbiddenExpressions(vec![entry]).found_in(&text);
        }
    }
}
