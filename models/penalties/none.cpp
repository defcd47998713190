#include "models/penalties/penalty.hpp"

namespace {

using namespace vaezoo;

class None final : public CodePenalty {
 public:
  ad::Var operator()(const ad::Context&, ad::Var) const override { return {}; }
  std::string describe() const override { return ""; }
};

struct NoneSettings {
  void fields(Fields&) {}
  std::unique_ptr<CodePenalty> build(const PenaltyArgs&) const { return std::make_unique<None>(); }
};

}  // namespace

VAEZOO_PART(CodePenalty, none, NoneSettings, "nothing")
