// Trees of Lists (deparse.hpp) to core's conditions, with the values that parameters have now.

#include "fdw/bridge.hpp"
#include "fdw/deparse.hpp"

namespace supabase::pg {
namespace {

// Text of parameter `number`, or NULL for SQL NULL. Without values (EXPLAIN) its placeholder.
const char *ParameterText(const ParameterValues *parameters, int number) {
  if (parameters->values == nullptr) return psprintf("$%d", number + 1);
  if (parameters->isnull[number]) return nullptr;
  auto *expr = static_cast<Node *>(list_nth(parameters->expressions, number));
  return ToUtf8(DatumToText(getBaseType(exprType(expr)), parameters->values[number]));
}

const char *ValueText(const Node *value, const ParameterValues *parameters) {
  if (IsA(value, String)) return ToUtf8(strVal(value));
  int const number = intVal(value);
  return number == kNullValue ? nullptr : ParameterText(parameters, number);
}

void BuildArray(ConditionBuilder *builder, const char *column, int number, const ParameterValues *parameters) {
  if (parameters->values != nullptr && parameters->isnull[number]) {
    Guard([&] { builder->Compare(column, Op::kEq, nullptr); });
    return;
  }
  Guard([&] { builder->In(column); });
  if (parameters->values == nullptr) {
    const char *placeholder = psprintf("$%d", number + 1);
    Guard([&] { builder->InValue(placeholder); });
    return;
  }
  auto *expr = static_cast<Node *>(list_nth(parameters->expressions, number));
  Oid const type = getBaseType(get_base_element_type(exprType(expr)));
  ArrayElements const elements = SplitArray(type, parameters->values[number]);
  for (int i = 0; i < elements.count; i++) {
    const char *text = elements.nulls[i] ? nullptr : ToUtf8(DatumToText(type, elements.values[i]));
    Guard([&] { builder->InValue(text); });
  }
}

void BuildIn(ConditionBuilder *builder, const char *column, List *tree, const ParameterValues *parameters) {
  int const number = intVal(lthird(tree));
  if (number != kNoParameter) {
    BuildArray(builder, column, number, parameters);
    return;
  }
  Guard([&] { builder->In(column); });
  for (int i = 3; i < list_length(tree); i++) {
    const char *text = ValueText(static_cast<Node *>(list_nth(tree, i)), parameters);
    Guard([&] { builder->InValue(text); });
  }
}

}  // namespace

void BuildCondition(ConditionBuilder *builder, List *tree, const ParameterValues *parameters) {
  check_stack_depth();
  auto const kind = static_cast<Condition::Kind>(intVal(linitial(tree)));
  if (kind == Condition::Kind::kAnd || kind == Condition::Kind::kOr || kind == Condition::Kind::kNot) {
    size_t const count = static_cast<size_t>(list_length(tree)) - 1;
    for (size_t i = 1; i <= count; i++) {
      BuildCondition(builder, static_cast<List *>(list_nth(tree, static_cast<int>(i))), parameters);
    }
    Guard([&] { builder->Combine(kind, count); });
    return;
  }
  const char *column = ToUtf8(strVal(lsecond(tree)));
  if (kind == Condition::Kind::kIn) {
    BuildIn(builder, column, tree, parameters);
  } else if (kind == Condition::Kind::kCompare) {
    auto const op = static_cast<Op>(intVal(lthird(tree)));
    const char *text = ValueText(static_cast<Node *>(lfourth(tree)), parameters);
    Guard([&] { builder->Compare(column, op, text); });
  } else {
    Guard([&] { builder->Test(kind, column); });
  }
}

}  // namespace supabase::pg
