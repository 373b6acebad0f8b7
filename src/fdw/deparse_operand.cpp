// The two sides of an operator: a column, or a JSON value inside one, and the value it is compared with.

#include "core/seeded.hpp"

#include "fdw/bridge.hpp"
#include "fdw/deparse_internal.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "catalog/pg_collation.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
}

namespace supabase::pg {
namespace {

// Relabellings under which values still compare as before (int4 to oid is one under which they do not).
bool KeepsComparison(Oid from, Oid to) {
  return from == to || (from == VARCHAROID && to == TEXTOID) || (from == CIDROID && to == INETOID) ||
         (from == VARCHARARRAYOID && to == TEXTARRAYOID);
}

// Casts that lose nothing and keep order: FoldValue undoes them on the other side. char(n) loses its padding, which
// does not take part in comparisons.
constexpr Oid kWideningCasts[] = {F_INT4_INT2,    F_INT8_INT2,     F_INT8_INT4,   F_NUMERIC_INT2,
                                  F_NUMERIC_INT4, F_NUMERIC_INT8,  F_FLOAT4_INT2, F_FLOAT8_INT2,
                                  F_FLOAT8_INT4,  F_FLOAT8_FLOAT4, F_TEXT_BPCHAR, F_TEXT_NAME};

bool IsWidening(Oid function) {
  for (Oid const cast : kWideningCasts) {
    if (cast == function) return true;
  }
  return false;
}

// -> and ->> take one step, #> and #>> any number.
struct Arrow {
  Oid function;
  bool text, many;
};
constexpr Arrow kArrows[] = {
    {F_JSONB_OBJECT_FIELD, false, false},     {F_JSONB_ARRAY_ELEMENT, false, false},
    {F_JSON_OBJECT_FIELD, false, false},      {F_JSON_ARRAY_ELEMENT, false, false},
    {F_JSONB_OBJECT_FIELD_TEXT, true, false}, {F_JSONB_ARRAY_ELEMENT_TEXT, true, false},
    {F_JSON_OBJECT_FIELD_TEXT, true, false},  {F_JSON_ARRAY_ELEMENT_TEXT, true, false},
    {F_JSONB_EXTRACT_PATH, false, true},      {F_JSON_EXTRACT_PATH, false, true},
    {F_JSONB_EXTRACT_PATH_TEXT, true, true},  {F_JSON_EXTRACT_PATH_TEXT, true, true},
};

const Arrow *FindArrow(Oid function) {
  for (const Arrow &arrow : kArrows) {
    if (arrow.function == function) return &arrow;
  }
  return nullptr;
}

// The steps of #>, which takes a number for an index where there is an array: only what is no number is a key always.
bool AddKeys(Operand *operand, Datum path) {
  ArrayElements const keys = SplitArray(TEXTOID, path);
  for (int i = 0; i < keys.count; i++) {
    if (keys.nulls[i]) return false;
    char *key = TextDatumGetCString(keys.values[i]);
    char *end;
    (void)strtol(key, &end, 10);
    if (end != key && *end == '\0') return false;
    operand->path = lappend(operand->path, makeString(key));
  }
  return keys.count > 0;
}

bool AddStep(Operand *operand, const Arrow *arrow, const Expr *step) {
  if (!IsA(step, Const) || reinterpret_cast<const Const *>(step)->constisnull) return false;
  auto *value = reinterpret_cast<const Const *>(step);
  if (arrow->many) return AddKeys(operand, value->constvalue);
  if (value->consttype == INT4OID) {
    operand->path = lappend(operand->path, makeInteger(DatumGetInt32(value->constvalue)));
  } else {
    operand->path = lappend(operand->path, makeString(TextDatumGetCString(value->constvalue)));
  }
  return true;
}

bool FindArrowOperand(const DeparseContext *context, const OpExpr *expr, Operand *operand) {
  const Arrow *arrow = FindArrow(get_opcode(expr->opno));
  if (arrow == nullptr || !FindOperand(context, static_cast<Expr *>(linitial(expr->args)), operand)) return false;
  if ((operand->type != JSONBOID && operand->type != JSONOID) || operand->path_text) return false;
  if (!AddStep(operand, arrow, static_cast<Expr *>(lsecond(expr->args)))) return false;
  operand->path_text = arrow->text;
  operand->type = operand->column_type = arrow->text ? TEXTOID : operand->type;
  operand->collation = arrow->text ? DEFAULT_COLLATION_OID : InvalidOid;
  return true;
}

bool FindVar(const DeparseContext *context, const Var *var, Operand *operand) {
  if (!bms_is_member(var->varno, context->rel->relids) || var->varlevelsup != 0 || var->varattno <= 0) return false;
  Oid type, collation;
  int32 typmod;
  get_atttypetypmodcoll(context->table->id, var->varattno, &type, &typmod, &collation);
  Oid const base = getBaseType(type);
  *operand = {var->varattno, base, base, collation, NIL, false};
  return true;
}

List *MakeValue(const DeparseContext *context, const Operand *operand, Op op, Node *value) {
  return MakeLeaf(context, operand, static_cast<int>(Condition::Kind::kCompare),
                  list_make2(makeInteger(static_cast<int>(op)), value));
}

// A pattern that fails, or whose * cannot be said another way, when it is matched.
bool IsUnsayable(Op op, const char *pattern) {
  size_t backslashes = 0, length = strlen(pattern);
  while (backslashes < length && pattern[length - 1 - backslashes] == '\\')
    backslashes++;
  if (op == Op::kLike) return backslashes % 2 == 1;
  return op == Op::kILike && (backslashes % 2 == 1 || strchr(pattern, '*') != nullptr);
}

}  // namespace

bool FindOperand(const DeparseContext *context, Expr *expr, Operand *operand) {
  check_stack_depth();
  switch (nodeTag(expr)) {
    case T_Var:
      return FindVar(context, reinterpret_cast<Var *>(expr), operand);
    case T_RelabelType: {
      auto *relabel = reinterpret_cast<RelabelType *>(expr);
      Oid const from = getBaseType(exprType(reinterpret_cast<Node *>(relabel->arg)));
      Oid const to = getBaseType(relabel->resulttype);
      if (!KeepsComparison(from, to) || !FindOperand(context, relabel->arg, operand)) return false;
      operand->type = to;
      return true;
    }
    case T_FuncExpr: {
      auto *cast = reinterpret_cast<FuncExpr *>(expr);
      if (list_length(cast->args) != 1 || !IsWidening(cast->funcid)) return false;
      if (!FindOperand(context, static_cast<Expr *>(linitial(cast->args)), operand)) return false;
      operand->type = cast->funcresulttype;
      return true;
    }
    case T_OpExpr: {
      auto *operation = reinterpret_cast<OpExpr *>(expr);
      return list_length(operation->args) == 2 && FindArrowOperand(context, operation, operand);
    }
    default:
      return false;
  }
}

AttrNumber PlainColumn(const DeparseContext *context, const Expr *expr) {
  Operand operand;
  if (!FindOperand(context, const_cast<Expr *>(expr), &operand) || operand.path != NIL) return 0;
  return KeepsComparison(operand.column_type, operand.type) ? operand.attno : 0;
}

List *MakeLeaf(const DeparseContext *context, const Operand *operand, int kind, List *rest) {
  auto *name = makeString(const_cast<char *>(RemoteColumn(context, operand->attno)->name));
  List *leaf = list_concat(lappend(MakeNode(kind), name), rest);
  if (operand->path == NIL) return leaf;
  return lappend(lappend(lappend(MakeNode(kPlanPath), makeInteger(operand->path_text)), operand->path), leaf);
}

bool IsLocalValue(DeparseContext *context, Expr *expr) {
  auto *node = reinterpret_cast<Node *>(expr);
  if (contain_var_clause(node) && !bms_is_subset(pull_varnos(context->root, node), context->outer)) {
    context->reason = "columns are compared with each other";
    return false;
  }
  if (contain_volatile_functions(node) || contain_subplans(node)) {
    context->reason = "the value is volatile or comes from a subquery";
    return false;
  }
  return true;
}

int AddParameter(DeparseContext *context, Expr *expr) {
  ListCell *cell;
  foreach (cell, context->parameters) {
    if (equal(lfirst(cell), expr)) return foreach_current_index(cell);
    bool const same_type =
        exprType(static_cast<Node *>(lfirst(cell))) == exprType(reinterpret_cast<const Node *>(expr));
    if (Seeded(Bug::kParameterMixed) && same_type) return foreach_current_index(cell);
  }
  context->parameters = lappend(context->parameters, expr);
  return list_length(context->parameters) - 1;
}

bool ValueAllowed(DeparseContext *context, const Operand *operand, Form form, Oid type) {
  if (CanFold(form, operand->column_type, type)) return true;
  context->reason = psprintf("value of type %s is compared with a column of type %s", format_type_be(type),
                             format_type_be(operand->column_type));
  return false;
}

List *CompareConstant(DeparseContext *context, const Operand *operand, Op op, Form form, Oid type, Datum value) {
  Folded const folded = FoldValue(form, operand->column_type, op, type, value);
  switch (folded.outcome) {
    case Folded::kTrueIfKnown:
      return MakeLeaf(context, operand, static_cast<int>(Condition::Kind::kTrueIfKnown), NIL);
    case Folded::kFalseIfKnown:
      return MakeLeaf(context, operand, static_cast<int>(Condition::Kind::kFalseIfKnown), NIL);
    case Folded::kAlways:
      return MakeNode(static_cast<int>(Condition::Kind::kAnd));
    case Folded::kSend:
      if (!IsUnsayable(op, folded.text)) {
        return MakeValue(context, operand, folded.op, reinterpret_cast<Node *>(makeString(pstrdup(folded.text))));
      }
      break;
    case Folded::kUnfit:
      break;
  }
  return Refuse(context, "the value cannot be sent so that it means the same");
}

List *CompareValue(DeparseContext *context, const Operand *operand, Op op, Form form, Expr *value) {
  if (!IsLocalValue(context, value)) return NIL;
  auto *node = reinterpret_cast<Node *>(value);
  Oid const type = getBaseType(exprType(node));
  if (!ValueAllowed(context, operand, form, type)) return NIL;
  if (IsA(value, Const)) {
    auto *constant = reinterpret_cast<Const *>(value);
    if (constant->constisnull) {
      return MakeValue(context, operand, op, reinterpret_cast<Node *>(makeInteger(kNullValue)));
    }
    if (!DependsOnSettings(form, operand->column_type, type)) {
      return CompareConstant(context, operand, op, form, type, constant->constvalue);
    }
  }
  bool const ordered_text = (operand->column_type == NAMEOID || operand->column_type == BPCHAROID) && IsText(type) &&
                            op != Op::kEq && op != Op::kNe && op != Op::kDistinct && form == Form::kComparison;
  if (ordered_text || (operand->column_type == CHAROID && !IsA(value, Const))) {
    return Refuse(context, "the value may not be one that can be sent");
  }
  Node *parameter = reinterpret_cast<Node *>(makeInteger(AddParameter(context, value)));
  if (!IsPlain(form, operand->column_type, type)) {
    parameter = reinterpret_cast<Node *>(list_make3(parameter, makeInteger(static_cast<int>(form)),
                                                    makeInteger(static_cast<int>(operand->column_type))));
  }
  return MakeValue(context, operand, op, parameter);
}

}  // namespace supabase::pg
