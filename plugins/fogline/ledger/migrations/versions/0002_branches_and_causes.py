"""Branches, head moves by people, and the causes of rejections"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("answers") as answers:
        answers.add_column(sa.Column("cause", sa.Text(), nullable=True))
    with op.batch_alter_table("rounds") as rounds:
        rounds.add_column(sa.Column("head_no", sa.Integer(), nullable=False, server_default="0"))
        rounds.add_column(sa.Column("reason", sa.Text(), nullable=True))
    with op.batch_alter_table("head_moves") as moves:
        moves.add_column(sa.Column("moved_by", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("models") as models:
        models.add_column(sa.Column("base_id", sa.Integer(), nullable=True))
        models.add_column(sa.Column("copy_of_id", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE models SET base_id = (SELECT base.id FROM models AS base WHERE base.federation = models.federation "
        "AND base.branch = models.branch AND base.version = models.base_version)"
    )
    with op.batch_alter_table("models") as models:
        models.drop_column("base_version")
        models.create_foreign_key(op.f("fk_models_base_id"), "models", ["base_id"], ["id"])
        models.create_foreign_key(op.f("fk_models_copy_of_id"), "models", ["copy_of_id"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("models") as models:
        models.add_column(sa.Column("base_version", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE models SET base_version = (SELECT base.version FROM models AS base WHERE base.id = models.base_id)"
    )
    with op.batch_alter_table("models") as models:
        models.drop_constraint(op.f("fk_models_copy_of_id"), type_="foreignkey")
        models.drop_constraint(op.f("fk_models_base_id"), type_="foreignkey")
        models.drop_column("copy_of_id")
        models.drop_column("base_id")
    with op.batch_alter_table("head_moves") as moves:
        moves.drop_column("moved_by")
    with op.batch_alter_table("rounds") as rounds:
        rounds.drop_column("reason")
        rounds.drop_column("head_no")
    with op.batch_alter_table("answers") as answers:
        answers.drop_column("cause")
