"""As much of a check of the Swift bindings as there is without a compiler: what was generated, what the layer calls, its syntax."""

import glob
import os
import re
import sys

folder = sys.argv[1]
problems = []
generated_path = os.path.join(folder, "CalloutPhoneFFI.swift")
with open(generated_path, encoding="utf-8") as file:
    generated = file.read()
with open(os.path.join(folder, "Phone.swift"), encoding="utf-8") as file:
    layer = file.read()
for pattern in ("*.h", "*.modulemap"):
    if not glob.glob(os.path.join(folder, pattern)):
        problems.append(f"no {pattern} was generated")

for symbol in ("open class PhoneCore", "open class CaptureCore", "open class AccountsCore", "protocol OrderObserver", "protocol SyncListener", "protocol WakeUpListener",
               "enum PhoneError", "struct Order", "struct Sample", "typealias WorkOrderId = UUID"):
    if symbol not in generated:
        problems.append(f"'{symbol}' was not generated")

# Everything that the layer calls on the core exists, with the same labels.
declared = {}
for name, parameters in re.findall(r"\bfunc `?(\w+)`?\(([^)]*)\)", generated):
    labels = [part.split(":")[0].strip().split(" ")[0].strip("`") for part in parameters.split(",") if ":" in part]
    declared.setdefault(name, set()).add(tuple(labels))
calls = re.findall(r"(?:\$0|\bcore|PhoneCore|AccountsCore)\.(\w+)\(([^()]*(?:\([^()]*\)[^()]*)*)\)", layer)
for name, arguments in calls:
    labels = tuple(re.findall(r"(?:^|,)\s*(\w+):", arguments))
    if labels not in declared.get(name, set()):
        problems.append(f"{name}({', '.join(labels)}) is called, declared is {sorted(declared.get(name, []))}")
if len(calls) < 30:
    problems.append(f"only {len(calls)} calls of the core were found: the check itself is wrong")
for case in re.findall(r"case let \.(\w+)\(", layer):
    if not re.search(rf"\bcase `?{case}`?\b", generated):
        problems.append(f"PhoneError has no case {case}")

try:
    import tree_sitter
    import tree_sitter_swift
except ImportError:
    print("Swift's syntax was not checked: no parser")
else:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_swift.language()))
    tree = parser.parse(layer.encode())
    pending = [tree.root_node]
    while pending:
        node = pending.pop()
        if node.is_error or node.is_missing:
            problems.append(f"Phone.swift:{node.start_point[0] + 1}: syntax error")
        pending.extend(child for child in node.children if child.has_error or child.is_missing)
if problems:
    sys.exit("Swift: " + "; ".join(problems))
print(f"Swift: generated, and {len(calls)} calls of the hand-written layer fit")
