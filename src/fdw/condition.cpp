// Trees of Lists (deparse.hpp) to core's conditions, with the values that parameters have now.

#include "core/seeded.hpp"

#include "fdw/bridge.hpp"
#include "fdw/deparse.hpp"
#include "fdw/fold.hpp"

namespace supabase::pg {
namespace {

using Kind = Condition::Kind;

struct Build {
  ConditionBuilder *builder;
  const ParameterValues *parameters;
  // Of the leaf at hand.
  const char *column;
  List *path;
  bool path_text;
};

// How a parameter's value becomes text; the column type is InvalidOid where its own text will do.
struct Target {
  Form form;
  Oid column_type;
};

void AddPath(Build *build) {
  ListCell *cell;
  foreach (cell, build->path) {
    auto *step = static_cast<Node *>(lfirst(cell));
    bool const index = IsA(step, Integer);
    const char *text = index ? psprintf("%d", intVal(step)) : ToUtf8(strVal(step));
    Guard([&] { build->builder->Step(text, index); });
  }
  if (build->path_text) Guard([&] { build->builder->PathAsText(); });
}

void Test(Build *build, Kind kind) {
  Guard([&] { build->builder->Test(kind, build->column); });
  AddPath(build);
}

void Compare(Build *build, Op op, const char *text) {
  const char *value = text == nullptr ? nullptr : ToUtf8(text);
  Guard([&] { build->builder->Compare(build->column, op, value); });
  AddPath(build);
}

void Combine(Build *build, Kind kind, size_t count) {
  Guard([&] { build->builder->Combine(kind, count); });
}

Folded Fold(Target target, Op op, Oid type, Datum value) {
  if (!OidIsValid(target.column_type)) return {Folded::kSend, op, DatumToText(type, value)};
  return FoldValue(target.form, target.column_type, op, type, value);
}

void CompareFolded(Build *build, Op op, Target target, Oid type, Datum value) {
  Folded const folded = Fold(target, op, type, value);
  switch (folded.outcome) {
    case Folded::kSend:
      Compare(build, folded.op, folded.text);
      return;
    case Folded::kTrueIfKnown:
      Test(build, Kind::kTrueIfKnown);
      return;
    case Folded::kFalseIfKnown:
      Test(build, Kind::kFalseIfKnown);
      return;
    case Folded::kAlways:
      Combine(build, Kind::kAnd, 0);
      return;
    case Folded::kUnfit:
      Test(build, Kind::kLocal);
      return;
  }
}

// Without values (EXPLAIN) a parameter shows as its placeholder.
const char *Placeholder(int number) {
  return psprintf("$%d", number + 1);
}

Oid ParameterType(const Build *build, int number) {
  return exprType(static_cast<Node *>(list_nth(build->parameters->expressions, number)));
}

void CompareParameter(Build *build, Op op, int number, Target target) {
  auto *expr = static_cast<Node *>(list_nth(build->parameters->expressions, number));
  if (IsA(expr, Const)) {
    // Not folded in the plan, for the settings may change; never NULL.
    CompareFolded(build, op, target, getBaseType(exprType(expr)), reinterpret_cast<Const *>(expr)->constvalue);
  } else if (build->parameters->values == nullptr) {
    Compare(build, op, Placeholder(number));
  } else if (build->parameters->isnull[number]) {
    bool const text = getBaseType(ParameterType(build, number)) == TEXTOID;
    Compare(build, op, Seeded(Bug::kParameterNullEmpty) && text ? "" : nullptr);
  } else {
    CompareFolded(build, op, target, getBaseType(ParameterType(build, number)), build->parameters->values[number]);
  }
}

void BuildCompare(Build *build, Op op, const Node *value) {
  if (IsA(value, String)) {
    Compare(build, op, strVal(value));
  } else if (IsA(value, List)) {
    auto *list = reinterpret_cast<const List *>(value);
    Target const target = {static_cast<Form>(intVal(lsecond(list))), static_cast<Oid>(intVal(lthird(list)))};
    CompareParameter(build, op, intVal(linitial(list)), target);
  } else if (intVal(value) == kNullValue) {
    Compare(build, op, nullptr);
  } else {
    CompareParameter(build, op, intVal(value), {Form::kText, InvalidOid});
  }
}

// ---- arrays ----

void InValue(Build *build, const char *text) {
  const char *value = text == nullptr ? nullptr : ToUtf8(text);
  Guard([&] { build->builder->InValue(value); });
}

// A value that the column cannot have changes nothing, unless all are so.
void InElements(Build *build, Target target, Oid type, const ArrayElements *elements) {
  Guard([&] { build->builder->In(build->column); });
  AddPath(build);
  int sent = 0;
  bool unfit = false;
  for (int i = 0; i < elements->count; i++) {
    if (elements->nulls[i]) {
      InValue(build, nullptr);
      sent++;
      continue;
    }
    Folded const folded = Fold(target, Op::kEq, type, elements->values[i]);
    unfit = unfit || folded.outcome == Folded::kUnfit;
    if (folded.outcome != Folded::kSend) continue;
    InValue(build, folded.text);
    sent++;
  }
  if (!unfit && (sent > 0 || elements->count == 0)) return;
  Guard([&] { build->builder->Discard(); });
  Test(build, unfit ? Kind::kLocal : Kind::kFalseIfKnown);
}

void BuildInParameter(Build *build, int number, Target target) {
  if (build->parameters->values == nullptr) {
    Guard([&] { build->builder->In(build->column); });
    AddPath(build);
    InValue(build, Placeholder(number));
  } else if (build->parameters->isnull[number]) {
    Compare(build, Op::kEq, nullptr);
  } else {
    Oid const type = getBaseType(get_base_element_type(ParameterType(build, number)));
    ArrayElements const elements = DistinctElements(type, build->parameters->values[number]);
    InElements(build, target, type, &elements);
  }
}

void BuildIn(Build *build, List *tree) {
  int const number = intVal(lthird(tree));
  if (number != kNoParameter) {
    BuildInParameter(build, number,
                     {static_cast<Form>(intVal(lfourth(tree))), static_cast<Oid>(intVal(list_nth(tree, 4)))});
    return;
  }
  Guard([&] { build->builder->In(build->column); });
  AddPath(build);
  for (int i = 3; i < list_length(tree); i++) {
    auto *value = static_cast<Node *>(list_nth(tree, i));
    InValue(build, IsA(value, String) ? strVal(value) : nullptr);
  }
}

struct Each {
  Op op;
  bool any, negated;
  int number;
  Target target;
};

void EachElement(Build *build, const Each *each) {
  Oid const type = getBaseType(get_base_element_type(ParameterType(build, each->number)));
  ArrayElements const elements = SplitArray(type, build->parameters->values[each->number]);
  for (int i = 0; i < elements.count; i++) {
    if (elements.nulls[i]) {
      Compare(build, each->op, nullptr);
    } else {
      CompareFolded(build, each->op, each->target, type, elements.values[i]);
    }
    if (each->negated) Combine(build, Kind::kNot, 1);
  }
  Combine(build, each->any ? Kind::kOr : Kind::kAnd, static_cast<size_t>(elements.count));
}

void BuildEach(Build *build, List *tree) {
  auto number = [tree](int i) { return intVal(list_nth(tree, i)); };
  Each const each = {static_cast<Op>(number(2)),
                     number(3) != 0,
                     number(4) != 0,
                     number(5),
                     {static_cast<Form>(number(6)), static_cast<Oid>(number(7))}};
  if (build->parameters->values == nullptr) {
    Compare(build, each.op, Placeholder(each.number));
    if (each.negated) Combine(build, Kind::kNot, 1);
  } else if (build->parameters->isnull[each.number]) {
    Compare(build, each.op, nullptr);
  } else {
    EachElement(build, &each);
  }
}

// True is AND of nothing, false OR of nothing, and comparison with NULL is unknown.
void BuildKnown(Build *build, int number) {
  auto *expr = static_cast<Node *>(list_nth(build->parameters->expressions, number));
  auto *constant = IsA(expr, Const) ? reinterpret_cast<Const *>(expr) : nullptr;
  if (constant == nullptr && build->parameters->values == nullptr) {
    build->column = Placeholder(number);
    Compare(build, Op::kEq, "true");
  } else if (constant != nullptr ? constant->constisnull : build->parameters->isnull[number]) {
    Compare(build, Op::kEq, nullptr);
  } else {
    Datum const value = constant != nullptr ? constant->constvalue : build->parameters->values[number];
    Combine(build, DatumGetBool(value) ? Kind::kAnd : Kind::kOr, 0);
  }
}

void BuildLeaf(Build *build, List *tree) {
  int const kind = intVal(linitial(tree));
  build->column = ToUtf8(strVal(lsecond(tree)));
  if (kind == kPlanEach) {
    BuildEach(build, tree);
  } else if (kind == static_cast<int>(Kind::kIn)) {
    BuildIn(build, tree);
  } else if (kind == static_cast<int>(Kind::kCompare)) {
    BuildCompare(build, static_cast<Op>(intVal(lthird(tree))), static_cast<Node *>(lfourth(tree)));
  } else {
    Test(build, static_cast<Kind>(kind));
  }
}

bool IsBranch(int kind) {
  switch (static_cast<Kind>(kind)) {
    case Kind::kAnd:
    case Kind::kOr:
    case Kind::kNot:
    case Kind::kHoldsTrue:
    case Kind::kHoldsFalse:
    case Kind::kHoldsUnknown:
      return true;
    default:
      return false;
  }
}

}  // namespace

void BuildCondition(ConditionBuilder *builder, List *tree, const ParameterValues *parameters) {
  check_stack_depth();
  int const kind = intVal(linitial(tree));
  if (IsBranch(kind)) {
    size_t const count = static_cast<size_t>(list_length(tree)) - 1;
    for (size_t i = 1; i <= count; i++) {
      BuildCondition(builder, static_cast<List *>(list_nth(tree, static_cast<int>(i))), parameters);
    }
    Guard([&] { builder->Combine(static_cast<Kind>(kind), count); });
    return;
  }
  Build build = {builder, parameters, "", NIL, false};
  if (kind == kPlanKnown) {
    BuildKnown(&build, intVal(lsecond(tree)));
    return;
  }
  if (kind == kPlanPath) {
    build.path_text = intVal(lsecond(tree)) != 0;
    build.path = lthird_node(List, tree);
    tree = lfourth_node(List, tree);
  }
  BuildLeaf(&build, tree);
}

}  // namespace supabase::pg
